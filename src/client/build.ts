/**
 * Builds what `stepwell/client` and `stepwell/classes` are published as, from `src`: each one module without imports, and its types. The files
 * of each appear in `dist/client` and `dist/classes` all at once. `node src/client/build.ts [DIRECTORY]`: the client alone, there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';

const source = fileURLToPath(new URL('..', import.meta.url));

/** The module at `entry` (relative to `src`) with all that it imports, as short as it can be written. */
export async function bundled(entry: string): Promise<string> {
  const bundle = await rolldown({ input: join(source, entry), platform: 'neutral' });
  const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
  await bundle.close();
  return output[0].code;
}

export function gzipBytes(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

export function buildClient(directory: string): Promise<void> {
  return build('client', 'client/index.ts', directory);
}

/** What an edge walks tables of classes with. */
export function buildClasses(directory: string): Promise<void> {
  return build('classes', 'classes/collapse.ts', directory);
}

/** `project`: the folder whose settings of the compiler say where it runs. */
async function build(project: string, entry: string, directory: string): Promise<void> {
  mkdirSync(dirname(directory), { recursive: true });
  const made = mkdtempSync(`${directory}-`);
  writeFileSync(join(made, 'index.js'), await bundled(entry));
  declare(project, join(made, 'types'));
  const before = `${made}-before`;
  if (existsSync(directory)) renameSync(directory, before);
  renameSync(made, directory);
  rmSync(before, { recursive: true, force: true });
}

function declare(project: string, directory: string): void {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const to = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--rootDir', source, '--outDir', directory];
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--project', join(source, project), ...to], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the types of the ${project} could not be made\n${stdout}`);
  // Who installs the package has no sources beside the declarations.
  for (const path of readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.d.ts'))) {
    const file = join(directory, path);
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(from '\.[^']*)\.ts'/g, "$1.js'"));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = process.argv[2] ?? fileURLToPath(new URL('../../dist/client', import.meta.url));
  await buildClient(directory);
  if (process.argv[2] === undefined) await buildClasses(fileURLToPath(new URL('../../dist/classes', import.meta.url)));
  console.log(`${directory}: ${gzipBytes(readFileSync(join(directory, 'index.js'), 'utf8'))} bytes gzip`);
}
