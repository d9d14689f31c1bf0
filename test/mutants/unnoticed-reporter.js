/** Tells of a mutant that no test notices as soon as that is known: a whole run takes long. Loaded by Stryker, by its path. */
class UnnoticedReporter {
  onMutantTested({ fileName, location, mutatorName, replacement, status }) {
    if (status !== 'Survived' && status !== 'NoCoverage') return;
    const shown = (replacement ?? '').replace(/\s+/g, ' ').slice(0, 100);
    console.log(`${fileName}:${location.start.line}:${location.start.column} ${status} ${mutatorName}: ${shown}`);
  }
}

export const strykerPlugins = [{ kind: 'Reporter', name: 'unnoticed', injectableClass: UnnoticedReporter }];
