/** `stepwell load` leaves a line in the record of writes, a service leaves its own, and `stepwell audit` says whether all are whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stepwell, temporaryDirectory } from './run-stepwell.ts';

const lines = [
  { kind: 'profile', subject: 'canary-ada', attributes: { loyalty: 'gold' } },
  { kind: 'profile', subject: 'canary-bob', attributes: { canary: 'nonsense' } },
  { kind: 'consent', subject: 'canary-ada', useCases: { offers: 'granted' }, recordedAt: '2026-11-01T00:00:00Z' },
];
const input = lines.map((line) => JSON.stringify(line)).join('\n');

test('a load is one line with its count, without a word about whom; each load has a chain of its own', async () => {
  await using directory = await temporaryDirectory();
  const env = { STEPWELL_DATA_DIR: directory.path };
  const file = join(directory.path, 'audit.ndjson');
  expect((await stepwell(['load', '-'], { env, input })).stdout).toBe('-: 2 loaded, 1 not\n');
  expect((await stepwell(['load', '-'], { env, input: '{}' })).code).toBe(1);
  const text = await readFile(file, 'utf8');
  const entries = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(entries).toMatchObject([
    { action: 'load', outcome: 'done', count: 2, keyId: null, requestId: null, sequence: 1 },
    { action: 'load', outcome: 'refused', count: 0, sequence: 1 },
  ]);
  expect(entries[0].process).not.toBe(entries[1].process);
  expect(text).not.toMatch(/canary|gold/);
  expect(await stepwell(['audit', file])).toEqual({ code: 0, stdout: `${file}: 2 lines, 0 broken\n`, stderr: '' });

  await writeFile(file, `${text}{"process":"${entries[0].process}","sequence":3,"previous":"x"}\n`);
  const broken = await stepwell(['audit', file]);
  expect(broken).toMatchObject({ code: 1, stdout: `${file}: 3 lines, 1 broken\n` });
  expect(broken.stderr).toContain(`${file}:3: `);
  expect(JSON.parse((await stepwell(['audit', '--json', file])).stdout)).toEqual({ file, lines: 3, broken: [3] });
});

test('a load writes to standard output, or nothing, where it is told so; a log that cannot be written stops nothing', async () => {
  await using directory = await temporaryDirectory();
  const load = (auditLog: string) =>
    stepwell(['load', '-'], { env: { STEPWELL_DATA_DIR: join(directory.path, 'data'), STEPWELL_AUDIT_LOG: auditLog }, input });
  expect((await load('-')).stdout).toMatch(/^\{"time":.*"action":"load".*\}\n-: 2 loaded, 1 not\n$/);
  expect((await load('off')).stdout).toBe('-: 2 loaded, 1 not\n');
  const troubled = await load(join(directory.path, 'nowhere', 'audit.ndjson'));
  expect(troubled.stdout).toBe('-: 2 loaded, 1 not\n');
  expect(troubled.stderr).toContain('the audit log cannot be written');
});

test('a file that is not there cannot be checked', async () => {
  expect(await stepwell(['audit', '/nowhere/audit.ndjson'])).toMatchObject({ code: 2, stdout: '' });
});
