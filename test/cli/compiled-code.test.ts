/** Compiled code is kept where nobody else could put theirs in its place; anywhere else a start goes without. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from './run-stepwell.ts';

const module = new URL('../../src/cli/compiled-code.js', import.meta.url).href;
const script = `
  const { useCompiledCode } = await import(${JSON.stringify(module)});
  const { getCompileCacheDir } = await import('node:module');
  useCompiledCode(process.argv[1]);
  process.stdout.write(getCompileCacheDir() ?? 'none');
`;

/** Where a process that is told of the data directory keeps compiled code, or `none`. */
function keptAt(dataDir: string, env: Readonly<Record<string, string>> = {}): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', script, dataDir], { env, encoding: 'utf8' });
}

const closed = 0o700;
const anybodys = 0o777;
const isRoot = process.getuid?.() === 0;

async function made(path: string, mode: number): Promise<void> {
  await mkdir(path);
  await chmod(path, mode);
}

test('in a data directory that is closed to others it is kept, from the first start on', async () => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, 'data');
  await made(data, closed);
  for (const _start of ['first', 'second']) expect(keptAt(data).startsWith(join(data, 'compiled-code'))).toBe(true);
});

test.each([
  ['that is not there', async () => {}],
  ['that others may write to', async (data: string) => made(data, anybodys)],
  [
    'whose compiled code others may write to',
    async (data: string) => {
      await made(data, closed);
      await made(join(data, 'compiled-code'), anybodys);
    },
  ],
])('in a data directory %s none is kept', async (_, prepare) => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, 'data');
  await prepare(data);
  expect(keptAt(data)).toBe('none');
});

test.runIf(isRoot)('in a data directory that belongs to somebody else none is kept', async () => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, 'data');
  await made(data, closed);
  expect(keptAt(data)).not.toBe('none');
  await chown(join(data, 'compiled-code'), 12_345, 12_345);
  expect(keptAt(data)).toBe('none');
});

test('whoever names a directory of their own has it', async () => {
  await using directory = await temporaryDirectory();
  const data = join(directory.path, 'data');
  await made(data, closed);
  const own = join(directory.path, 'own');
  expect(keptAt(data, { NODE_COMPILE_CACHE: own }).startsWith(own)).toBe(true);
});
