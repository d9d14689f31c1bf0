/**
 * What `npm test` runs: says which outside programs it found, fetches the missing ones where it may, runs every suite and ends
 * with a tally. `--long` shares ten million generated cases among the properties. Other arguments go to vitest.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, missingSentence, type Program, programs } from './support/programs.ts';

const longCasesTotal = 10_000_000;

const repository = fileURLToPath(new URL('..', import.meta.url));
const isLong = process.argv.includes('--long');

preparePrograms();
process.exitCode = runVitest(
  process.argv.slice(2).filter((argument) => argument !== '--long'),
  await longEnvironment(),
);

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
  const { status, error } = spawnSync(
    process.execPath,
    [join(repository, 'node_modules/vitest/vitest.mjs'), 'run', '--config=test/vitest.config.ts', ...passedOn],
    { cwd: repository, stdio: 'inherit', env: { ...process.env, ...more } },
  );
  if (error !== undefined) console.error(`vitest could not be started: ${error.message}`);
  return status ?? 1;
}

async function longEnvironment(): Promise<Readonly<Record<string, string>>> {
  if (!isLong) return {};
  // Loaded only here: it says which seed it takes, and the suites must then take the same.
  const { casesPerProperty, seed } = await import('./oracle/runs.ts');
  const properties = countProperties();
  const factor = Math.ceil(longCasesTotal / (casesPerProperty * properties));
  console.log(`Long run: ${properties} properties, ${(casesPerProperty * factor).toLocaleString('en')} generated cases each.`);
  return { STEPWELL_TEST_LONG: '1', STEPWELL_TEST_RUNS: String(factor), FC_SEED: String(seed) };
}

/** The properties of a decision, wherever they stand. What others draw at random comes on top. */
function countProperties(): number {
  const suites = readdirSync(join(repository, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  const found = suites.map(
    (name) => readFileSync(join(repository, 'test', name), 'utf8').match(/\bholdsFor\(casesPerProperty,/g)?.length ?? 0,
  );
  return Math.max(
    1,
    found.reduce((sum, count) => sum + count, 0),
  );
}
