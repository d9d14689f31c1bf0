/** `npm start` as a service manager uses it: the signal goes to npm alone, and must reach the service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root, temporaryDirectory } from '../cli/run-stepwell.ts';

test('SIGTERM to npm stops the service with grace, which npm does not leave behind', async () => {
  await using directory = await temporaryDirectory();
  const policy = join(directory.path, 'policy.yaml');
  await copyFile(join(root, 'examples/retail.yaml'), policy);
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: directory.path,
    STEPWELL_PORT: '0',
    STEPWELL_MANAGEMENT_PORT: '0',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_POLICY: policy,
  };
  const npm = spawn('npm', ['start'], { cwd: root, env: environment, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  // The whole group: a service that outlived npm would otherwise outlive this test too.
  onTestFinished(() => killGroup(npm.pid));
  let output = '';
  const ended = once(npm, 'exit');
  // The service holds the stream as long as it lives, whatever becomes of npm.
  const closed = once(npm.stderr, 'close');
  const serving = new Promise<void>((resolve, reject) => {
    npm.stderr.on('data', (text) => {
      output += text;
      if (output.includes('"msg":"serving"')) resolve();
    });
    void ended.then(() => reject(new Error(`npm ended before the service served:\n${output}`)));
  });
  await serving;
  npm.kill('SIGTERM');
  await closed;
  await ended;
  expect(output).toContain('"msg":"stopped"');
});

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}
