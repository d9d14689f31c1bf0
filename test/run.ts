/**
 * What `npm test` runs: says which outside programs it found, fetches the missing ones and the packages of single suites where it may,
 * runs every suite and ends with a tally. `--long` then tries ten million generated cases and more, and every state of the state
 * space. Other arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { installCommand, isInstalled, notInstalledSentence, testPackages } from './support/packages.ts';
import { findProgram, missingSentence, type Program, programs } from './support/programs.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const isLong = process.argv.includes('--long');

preparePrograms();
preparePackages();
const passedOn = process.argv.slice(2).filter((argument) => argument !== '--long');
const statuses = [runVitest(passedOn, isLong ? { STEPWELL_TEST_LONG: '1' } : {})];
if (isLong) statuses.push(run('the long run', new URL('./oracle/long.ts', import.meta.url)));
if (isLong) statuses.push(run('the whole state space', new URL('./enumeration/long.ts', import.meta.url)));
process.exitCode = Math.max(...statuses);

function preparePrograms(): void {
  const missing = Object.values<Program>(programs).filter((program) => findProgram(program) === null && program.neededByTests);
  if (missing.length > 0 && mayInstall()) install(missing);
  for (const program of Object.values<Program>(programs)) console.log(`  ${describe(program)}`);
}

function describe(program: Program): string {
  const path = findProgram(program);
  if (path !== null) return `${program.commands[0]}: ${path}`;
  const consequence = program.neededByTests ? 'Those suites will fail.' : 'The tests do without.';
  return `${program.commands[0]}: ${missingSentence(program)}. ${consequence}`;
}

/** A package that cannot be installed fails its own suites, and no other. */
function preparePackages(): void {
  for (const one of testPackages.filter((wanted) => !isInstalled(wanted))) {
    console.log(`Installing what ${one.folder} locks, once.`);
    const { status } = spawnSync('npm', [...installCommand(one)], { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) console.error(`  ${notInstalledSentence(one)}`);
  }
}

/** Only where it asks nobody and surprises nobody: as root, on a system of Debian's kind. */
function mayInstall(): boolean {
  return (
    process.getuid?.() === 0 && findProgram({ commands: ['apt-get'], debianPackage: 'apt', usedBy: '', neededByTests: false }) !== null
  );
}

function install(missing: readonly Program[]): void {
  const packages = missing.map((program) => program.debianPackage);
  console.log(`Installing ${packages.join(' and ')} from the distribution's packages, once.`);
  apt('update', '--quiet');
  for (const name of packages) apt('install', '--yes', '--quiet', '--no-install-recommends', name);
}

/** A failure is said here and decides nothing: the suites that lack a program fail by themselves. */
function apt(...parameters: readonly string[]): void {
  const { status, error } = spawnSync('apt-get', parameters, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0)
    console.error(`apt-get ${parameters.join(' ')} failed${error === undefined ? ` with status ${status}` : `: ${error.message}`}`);
}

function runVitest(passedOn: readonly string[], more: Readonly<Record<string, string>>): number {
  return run(
    'vitest',
    new URL('../node_modules/vitest/vitest.mjs', import.meta.url),
    ['run', '--config=test/vitest.config.ts', ...passedOn],
    more,
  );
}

function run(name: string, script: URL, parameters: readonly string[] = [], more: Readonly<Record<string, string>> = {}): number {
  const { status, error } = spawnSync(process.execPath, [fileURLToPath(script), ...parameters], {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, ...more },
  });
  if (error !== undefined) console.error(`${name} could not be started: ${error.message}`);
  return status ?? 1;
}
