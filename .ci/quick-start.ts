/**
 * Does what a stranger does first: `npm start`, then a decide call, on free ports and with an empty data directory. Fails
 * unless the answer is a 200 with a tier for every zone, and unless the service then stops when it is told to.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const readyWithinMs = 120_000;
const stoppedWithinMs = 20_000;

const dataDirectory = process.argv[2];
if (dataDirectory === undefined) throw new Error('usage: quick-start.ts DATA_DIRECTORY');

const [port, managementPort] = await freePorts();
const service = spawn('npm', ['start'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    STEPWELL_PORT: String(port),
    STEPWELL_MANAGEMENT_PORT: String(managementPort),
    STEPWELL_DATA_DIR: dataDirectory,
  },
});
try {
  await untilReady(service, `http://127.0.0.1:${managementPort}/readyz`);
  await checkDecide(`http://127.0.0.1:${port}/v1/decide`);
} finally {
  await stop(service);
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()];
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening');
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) await once(server.close(), 'close');
  return ports as [number, number];
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const endsAtMs = performance.now() + readyWithinMs;
  while (performance.now() < endsAtMs) {
    if (child.exitCode !== null) throw new Error(`the service ended with status ${child.exitCode} before it was ready`);
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the service was not ready within ${readyWithinMs / 1000} s`);
}

async function checkDecide(url: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ page: 'home', context: { country: 'DE', device: 'mobile' } }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`decide answered ${response.status}: ${text}`);
  const { zones } = JSON.parse(text) as { zones: readonly { zone: string; tier?: string }[] };
  const without = zones.filter((zone) => zone.tier === undefined);
  if (zones.length === 0 || without.length > 0) throw new Error(`decide answered without a tier: ${text}`);
  console.log(zones.map((zone) => `${zone.zone}: ${zone.tier}`).join(', '));
}

/** npm hands the signal on to the service and ends when it does. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => {
    console.error(`the service did not stop within ${stoppedWithinMs / 1000} s`);
    process.exitCode = 1;
    child.kill('SIGKILL');
  }, stoppedWithinMs);
  await ended;
  clearTimeout(late);
}
