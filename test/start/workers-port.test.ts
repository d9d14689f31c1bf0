/** Several processes on any free port: the address that is told at the start is the address for good. */

import { copyFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root, startStepwell, temporaryDirectory } from '../cli/run-stepwell.ts';

interface Addresses {
  readonly serviceUrl: string;
  readonly managementUrl: string;
}

interface WorkerStatus {
  readonly pid: number | null;
  readonly ready: boolean;
}

test('workers share one port, which is the one that was told, and those who replace them when all have died have it too', async () => {
  await using directory = await temporaryDirectory();
  const policy = join(directory.path, 'policy.yaml');
  await copyFile(join(root, 'examples/retail.yaml'), policy);
  const child = startStepwell(['serve'], {
    env: {
      STEPWELL_PORT: '0',
      STEPWELL_MANAGEMENT_PORT: '0',
      STEPWELL_WORKERS: '2',
      STEPWELL_DATA_DIR: join(directory.path, 'data'),
      STEPWELL_POLICY: policy,
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  const { serviceUrl, managementUrl } = await new Promise<Addresses>((resolve, reject) => {
    child.once('close', () => reject(new Error(`ended before it served:\n${output}`)));
    child.stderr.on('data', (text) => {
      output += text;
      const line = /^\{.*"msg":"serving"\}$/m.exec(output)?.[0];
      if (line !== undefined) resolve(JSON.parse(line));
    });
  });
  const workers = async (): Promise<readonly WorkerStatus[]> => {
    const status = (await (await fetch(`${managementUrl}/status`)).json()) as { workers: WorkerStatus[] };
    return status.workers;
  };
  const untilAllReady = async (but: readonly WorkerStatus[]): Promise<readonly WorkerStatus[]> => {
    const before = but.map(({ pid }) => pid);
    for (;;) {
      const now = await workers();
      if (now.every(({ pid, ready }) => ready && !before.includes(pid))) return now;
    }
  };

  const first = await untilAllReady([]);
  expect(await isOpen(serviceUrl)).toBe(true);
  for (const { pid } of first) process.kill(pid ?? 0, 'SIGKILL');
  await untilAllReady(first);
  const ports = new Set([...output.matchAll(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port));
  expect(ports).toEqual(new Set([serviceUrl, managementUrl].map((url) => new URL(url).port)));
  expect(await isOpen(serviceUrl)).toBe(true);
});

function isOpen(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
