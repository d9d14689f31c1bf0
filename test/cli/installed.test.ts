/** The `stepwell` command of a package that somebody installed: it says where it runs, and does not end in an error of Node's. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root, type TemporaryDirectory, temporaryDirectory } from './run-stepwell.ts';

let folder: TemporaryDirectory;
let command: string;
beforeAll(async () => {
  folder = await temporaryDirectory();
  command = install(folder.path);
});
afterAll(() => folder[Symbol.asyncDispose]());

test.each([[[]], [['fallbacks', 'policy.yaml']], [['--help']]])(
  'stepwell %j of an installed package says what the package is for',
  (args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], { encoding: 'utf8' });
    expect({ status, stdout, lines: stderr.trim().split('\n').length }).toEqual({ status: 2, stdout: '', lines: 1 });
    expect(stderr).toMatch(/^stepwell: .+ from a checkout or from the image; .+ `stepwell\/client`/);
  },
);

/** As npm does, from what npm would pack, with the command linked beside the packages. */
function install(folder: string): string {
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
  });
  const installed = join(folder, 'node_modules/stepwell');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, packed.trim()), '-C', installed, '--strip-components=1']);
  const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { bin: { stepwell: string } };
  const command = join(folder, 'node_modules/.bin/stepwell');
  mkdirSync(join(folder, 'node_modules/.bin'));
  symlinkSync(join(installed, bin.stepwell), command);
  return command;
}
