/**
 * Does what a stranger does first: `npm start`, then a decide call, on any free ports and with an empty data directory. Fails
 * unless the answer is a 200 with a tier for every zone, and unless the service then stops when it is told to.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

const servingWithinMs = 120_000;
const stoppedWithinMs = 20_000;

const dataDirectory = process.argv[2];
if (dataDirectory === undefined) throw new Error('usage: quick-start.ts DATA_DIRECTORY');

const service = spawn('npm', ['start'], {
  detached: true,
  stdio: ['ignore', 'inherit', 'pipe'],
  env: { ...process.env, STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0', STEPWELL_DATA_DIR: dataDirectory },
});
try {
  const { serviceUrl, managementUrl } = await serving(service);
  await checkReady(`${managementUrl}/readyz`);
  await checkDecide(`${serviceUrl}/v1/decide`);
} finally {
  await stop(service);
}

interface Addresses {
  readonly serviceUrl: string;
  readonly managementUrl: string;
}

/** Where it serves, as its own log says. */
function serving(child: ChildProcessByStdio<null, null, Readable>): Promise<Addresses> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`the service did not serve within ${servingWithinMs / 1000} s`)), servingWithinMs);
    child.once('exit', (status) => {
      clearTimeout(late);
      reject(new Error(`the service ended with status ${status} before it served`));
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      console.error(line);
      const addresses = addressesIn(line);
      if (addresses === null) return;
      clearTimeout(late);
      resolve(addresses);
    });
  });
}

function addressesIn(line: string): Addresses | null {
  const [serviceUrl, managementUrl] = ['serviceUrl', 'managementUrl'].map((name) => new RegExp(`"${name}":"([^"]+)"`).exec(line)?.[1]);
  return serviceUrl === undefined || managementUrl === undefined ? null : { serviceUrl, managementUrl };
}

async function checkReady(url: string): Promise<void> {
  const { status } = await fetch(url);
  if (status !== 200) throw new Error(`a service that serves answered ${status} to whether it is ready`);
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

/**
 * As Ctrl-C does: the signal goes to the whole group. The log's end is the service's own, whatever npm does.
 */
async function stop(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null) return;
  const ended = once(child, 'close');
  process.kill(-pid, 'SIGINT');
  const late = setTimeout(() => {
    console.error(`the service did not stop within ${stoppedWithinMs / 1000} s`);
    process.exitCode = 1;
    process.kill(-pid, 'SIGKILL');
  }, stoppedWithinMs);
  await ended;
  clearTimeout(late);
}
