/**
 * Ends a test run with one line that a person and a program read alike: `N passed, N failed`, and `, N skipped` where some
 * were. A long run also says every half minute how far it is.
 */
import type { Reporter, TestModule } from 'vitest/node';

const progressEveryMs = 30_000;

export class TallyReporter implements Reporter {
  #startedAtMs = 0;
  #modulesTotal = 0;
  #modulesEnded = 0;
  #running = new Set<string>();
  #progress: NodeJS.Timeout | undefined;

  onTestRunStart(specifications: readonly unknown[]): void {
    this.#startedAtMs = performance.now();
    this.#modulesTotal = specifications.length;
    if (process.env.STEPWELL_TEST_LONG === '1') this.#progress = setInterval(() => this.#sayProgress(), progressEveryMs);
  }

  onTestModuleStart(module: TestModule): void {
    this.#running.add(module.relativeModuleId);
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.relativeModuleId);
    this.#modulesEnded += 1;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    clearInterval(this.#progress);
    console.log(`\n${tally(modules, unhandledErrors.length)}`);
  }

  #sayProgress(): void {
    const minutes = ((performance.now() - this.#startedAtMs) / 60_000).toFixed(1);
    const running = [...this.#running].join(', ');
    console.log(`… ${minutes} min: ${this.#modulesEnded} of ${this.#modulesTotal} test files done, running ${running}`);
  }
}

/** A file that could not be loaded, a hook that failed and an error outside every test each count as one failure. */
function tally(modules: readonly TestModule[], errorsOutsideTests: number): string {
  const counts = { passed: 0, failed: errorsOutsideTests, skipped: 0, pending: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) counts[test.result().state] += 1;
    const suitesFailed = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
    counts.failed += suitesFailed + (module.errors().length > 0 ? 1 : 0);
  }
  const skipped = counts.skipped + counts.pending;
  return `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
