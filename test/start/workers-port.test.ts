/** Several processes on any free port: the address that is told at the start is the address for good. */

import { copyFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, temporaryDirectory } from '../cli/run-stepwell.ts';
import { serveStepwell } from '../cli/serving.ts';

interface WorkerStatus {
  readonly pid: number | null;
  readonly ready: boolean;
}

test('workers share one port, which is the one that was told, and those who replace them when all have died have it too', async () => {
  await using directory = await temporaryDirectory();
  const policy = join(directory.path, 'policy.yaml');
  await copyFile(join(root, 'examples/retail.yaml'), policy);
  await using serving = await serveStepwell({
    STEPWELL_WORKERS: '2',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_POLICY: policy,
  });
  const { serviceUrl, managementUrl, output } = serving;
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
  const ports = new Set([...output().matchAll(/Server listening at http:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port));
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
