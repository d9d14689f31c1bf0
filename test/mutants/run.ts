/**
 * Plants one small fault after another in the folders that decide what may be known of a person, and tells which of them no test
 * notices. Fails where a folder's tests notice fewer than they should, and where one fault in a gate goes unnoticed.
 * `node test/mutants/run.ts [--jobs N] [folder or file …]`; without any: all three folders.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { installCommand, isInstalled, notInstalledSentence, type TestPackage } from '../support/packages.ts';

const folders = ['decision', 'consent', 'identity'] as const;
type Folder = (typeof folders)[number];

/** Of what plants them, as far as it is used here: it is installed when it is first asked for, and not with the service. */
interface Planter {
  readonly Stryker: new (options: Readonly<Record<string, unknown>>) => { runMutationTest(): Promise<readonly Mutant[]> };
}

interface Mutant {
  readonly fileName: string;
  readonly status: string;
}

const here: TestPackage = { folder: 'test/mutants', usedBy: 'small faults that are planted' };

const scoreMin = 0.85;
/** Where a fault that nobody notices would be a way up. */
const gateFiles = ['gates', 'consent', 'identity', 'sensitivity', 'standing', 'admit'].map((name) => `src/decision/${name}.ts`);
/** A mutant that does not end is stopped by its count of steps; a machine that is busy with everything else must not look like one. */
const hangsAfterMs = 60_000;

const repository = fileURLToPath(new URL('../..', import.meta.url));
const { values, positionals } = parseArgs({ options: { jobs: { type: 'string', default: '1' } }, allowPositionals: true });

process.chdir(repository);
// The same generated cases for every mutant and every run, and few of them: what is asked thousands of times must be quick.
Object.assign(process.env, { FC_SEED: '20261121', STEPWELL_TEST_RUNS: '0.05' });
const planter = await installed();
const results: Mutant[] = [];
for (const folder of folders) {
  const mutate = patternsOf(folder);
  if (mutate.length > 0) results.push(...(await mutantsOf(folder, mutate)));
}
process.exitCode = report(results) ? 0 : 1;

function patternsOf(folder: Folder): readonly string[] {
  const asked = positionals.map((path) => path.replace(/\/$/, ''));
  if (asked.length === 0 || asked.includes(`src/${folder}`)) return [`src/${folder}/**/*.ts`];
  return asked.filter((path) => path.startsWith(`src/${folder}/`));
}

/** By names that no compiler looks up, so that types can be checked without it. */
async function installed(): Promise<Planter> {
  if (!isInstalled(here)) {
    console.log(`Installing what ${here.folder} locks, once.`);
    const { status } = spawnSync('npm', [...installCommand(here)], { stdio: 'inherit' });
    if (status !== 0) throw new Error(notInstalledSentence(here));
  }
  const name = '@stryker-mutator/core';
  return (await import(name)) as Planter;
}

async function mutantsOf(folder: Folder, mutate: readonly string[]): Promise<readonly Mutant[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'stepwell-mutants-'));
  process.env.STEPWELL_MUTANTS_SUITE = folder;
  try {
    const planted = await new planter.Stryker({
      mutate: [...mutate],
      testRunner: 'vitest',
      vitest: { configFile: 'test/mutants/vitest.config.ts', related: false },
      coverageAnalysis: 'perTest',
      concurrency: Number(values.jobs),
      timeoutMS: hangsAfterMs,
      plugins: [
        fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner')),
        fileURLToPath(new URL('./unnoticed-reporter.js', import.meta.url)),
      ],
      reporters: ['unnoticed', process.stdout.isTTY ? 'progress' : 'progress-append-only'],
      logLevel: 'warn',
      tempDirName: scratch,
      ignorePatterns: ['.stepwell', 'bench/results', 'docs'],
      allowEmpty: false,
    }).runMutationTest();
    return planted.map((mutant) => ({ ...mutant, fileName: relative(repository, mutant.fileName) }));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Whether the tests notice enough. */
function report(mutants: readonly Mutant[]): boolean {
  const files = Map.groupBy(mutants, ({ fileName }) => fileName);
  const unnoticed = mutants.filter((mutant) => !isNoticed(mutant) && counts(mutant));
  console.log('\n| file | mutants | noticed | unnoticed | score |\n| --- | --: | --: | --: | --: |');
  for (const [file, own] of [...files].toSorted()) console.log(rowOf(file, own));
  console.log(rowOf('all', mutants));
  const ofGates = unnoticed.filter(({ fileName }) => gateFiles.includes(fileName)).length;
  if (ofGates > 0) console.log(`\nunnoticed in the gates: ${ofGates}; there may be none`);
  return ofGates === 0 && scoreOf(mutants) >= scoreMin;
}

function rowOf(name: string, mutants: readonly Mutant[]): string {
  const counted = mutants.filter(counts);
  const noticed = counted.filter(isNoticed).length;
  return `| ${name} | ${counted.length} | ${noticed} | ${counted.length - noticed} | ${(scoreOf(mutants) * 100).toFixed(1)} % |`;
}

function scoreOf(mutants: readonly Mutant[]): number {
  const counted = mutants.filter(counts);
  return counted.length === 0 ? 1 : counted.filter(isNoticed).length / counted.length;
}

/** Those that a comment explains away, and those that do not run at all, say nothing of the tests. */
function counts({ status }: Mutant): boolean {
  return status !== 'Ignored' && status !== 'CompileError' && status !== 'RuntimeError';
}

function isNoticed({ status }: Mutant): boolean {
  return status === 'Killed' || status === 'Timeout';
}
