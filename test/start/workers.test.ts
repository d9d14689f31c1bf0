/** Several processes that serve as one: what a caller, an operator and a process manager see of them. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { root, stepwell, type TemporaryDirectory, temporaryDirectory } from '../cli/run-stepwell.ts';
import { type Serving, serveStepwell } from '../cli/serving.ts';

interface WorkerStatus {
  readonly id: number;
  readonly pid: number | null;
  readonly ready: boolean;
  readonly since: string;
}

interface Running extends Omit<Serving, 'serviceUrl'> {
  readonly url: string;
  readonly policyPath: string;
  workers(): Promise<readonly WorkerStatus[]>;
  /** Resolves once the workers are as wanted. */
  untilWorkers(are: (workers: readonly WorkerStatus[]) => boolean): Promise<readonly WorkerStatus[]>;
}

const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ page: 'home', zones: ['hero'] });

/** Two workers, without the demo's people, which take a while to load. */
async function startWorkers(directory: TemporaryDirectory): Promise<Running> {
  const policyPath = join(directory.path, 'policy.yaml');
  await writeFile(policyPath, await readFile(join(root, 'examples/retail.yaml')));
  const serving = await serveStepwell({
    STEPWELL_WORKERS: '2',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_POLICY: policyPath,
  });
  const workers = async () => {
    const answer = await fetch(`${serving.managementUrl}/status`);
    return ((await answer.json()) as { workers: WorkerStatus[] }).workers;
  };
  return {
    ...serving,
    url: serving.serviceUrl,
    policyPath,
    workers,
    async untilWorkers(are) {
      for (;;) {
        const now = await workers();
        if (are(now)) return now;
      }
    },
  };
}

const allReady = (workers: readonly WorkerStatus[]): boolean => workers.every(({ ready }) => ready);

interface Answer {
  readonly status: number | undefined;
  /** The server says that it is the last on this connection. */
  readonly isLast: boolean;
}

/** Null where no whole answer came. */
function ask(url: string, agent: Agent | false): Promise<Answer | null> {
  return new Promise((resolve) => {
    const call = request(`${url}/v1/decide`, { method: 'POST', headers: json, agent }, (response) => {
      const isLast = response.headers.connection === 'close';
      text(response).then(
        (answer) => resolve(response.complete && answer.endsWith('}') ? { status: response.statusCode, isLast } : null),
        () => resolve(null),
      );
    });
    call.once('error', () => resolve(null));
    call.end(body);
  });
}

async function decisionsIn(managementUrl: string): Promise<number> {
  const metrics = await (await fetch(`${managementUrl}/metrics`)).text();
  return [...metrics.matchAll(/^stepwell_decisions_total\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
}

test('two workers answer on one port and count as one; one that is killed is replaced, one that is frozen is not waited for; and none outlives the primary', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startWorkers(directory);
  const before = await service.untilWorkers(allReady);
  expect(before.map(({ id }) => id)).toEqual([1, 2]);
  expect(new Set(before.map(({ pid }) => pid)).size).toBe(2);
  expect(before.map(({ pid }) => pid)).not.toContain(service.child.pid);
  for (const path of ['/livez', '/readyz', '/status', '/metrics']) {
    const answer = await fetch(`${service.managementUrl}${path}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('private, no-store');
  }
  const status = await (await fetch(`${service.managementUrl}/status`)).json();
  expect(status).toMatchObject({ policy: { id: 'retail', stale: false }, dependencies: { store: { kind: 'embedded' } } });

  // A connection each, so that they are dealt out.
  const asked = 40;
  for (let count = 0; count < asked; count += 1) expect(await ask(service.url, false)).toMatchObject({ status: 200 });
  expect(await decisionsIn(service.managementUrl)).toBe(asked);

  const profile = `${service.url}/v1/profiles/somebody`;
  const written = JSON.stringify({ attributes: { loyalty: 'gold' }, audiences: [], ttlSeconds: 3600 });
  expect((await fetch(profile, { method: 'PUT', headers: json, body: written })).ok).toBe(true);
  for (let count = 0; count < 4; count += 1) {
    const read = await fetch(profile, { headers: { connection: 'close' } });
    expect(await read.json()).toMatchObject({ attributes: { loyalty: 'gold' } });
  }

  const [victim, other] = before;
  process.kill(victim?.pid ?? 0, 'SIGKILL');
  const replaced = await service.untilWorkers((workers) => workers[0]?.ready === true && workers[0].pid !== victim?.pid);
  expect(replaced[1]).toEqual(other);
  expect(service.output()).toMatch(/"level":40.*"signal":"SIGKILL".*a worker ended and is replaced/);
  expect(await decisionsIn(service.managementUrl)).toBe(asked);
  for (let count = 0; count < asked; count += 1) expect(await ask(service.url, false)).toMatchObject({ status: 200 });
  expect(await decisionsIn(service.managementUrl)).toBe(2 * asked);
  expect((await fetch(`${service.url}/metrics`)).status).toBe(404);

  process.kill(other?.pid ?? 0, 'SIGSTOP');
  expect(await decisionsIn(service.managementUrl)).toBe(2 * asked);
  const frozen = await (await fetch(`${service.managementUrl}/status`)).json();
  expect(frozen).toMatchObject({ policy: { id: 'retail' }, workers: [{ id: 1 }, { id: 2 }] });
  process.kill(other?.pid ?? 0, 'SIGCONT');

  await writeFile(service.policyPath, 'stepwell: 7\n');
  service.child.kill('SIGHUP');
  const refusedBy = () => new Set(service.output().match(/"pid":\d+(?=.*the policy was not replaced)/g));
  while (refusedBy().size < 2) await once(service.child.stderr, 'data');

  service.child.kill('SIGKILL');
  await service.ended;
  while (isRunning(other?.pid ?? null) || isRunning(replaced[0]?.pid ?? null)) await new Promise(setImmediate);
});

test('SIGTERM to the whole group under load loses no request of hundreds of callers who keep their connections', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startWorkers(directory);
  const workers = await service.untilWorkers(allReady);
  const callers = 200;
  let keepers = 0;
  let lost = 0;
  const underLoad = Promise.withResolvers<void>();
  /** Asks again as soon as it has its answer, until an answer says that it is the last. */
  async function askOnAndOn(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let asked = 1; ; asked += 1) {
      const answer = await ask(service.url, agent);
      if (answer === null) lost += 1;
      if (asked === 2) keepers += 1;
      if (keepers === callers) underLoad.resolve();
      if (answer === null || answer.isLast) return agent.destroy();
    }
  }
  const everybody = Promise.all(Array.from({ length: callers }, askOnAndOn));
  await underLoad.promise;
  for (const { pid } of workers) process.kill(pid ?? 0, 'SIGTERM');
  service.child.kill('SIGTERM');
  await everybody;
  expect(lost).toBe(0);
  expect(await service.ended).toBe(0);
  expect(service.output().match(/"msg":"stopped"/g)).toHaveLength(3);
  for (const { pid } of workers) expect(isRunning(pid)).toBe(false);
});

function isRunning(pid: number | null): boolean {
  try {
    return pid !== null && process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a worker that is frozen counts as not ready, is killed and replaced, and no sum of what was counted falls meanwhile', async () => {
  await using directory = await temporaryDirectory();
  await using service = await startWorkers(directory);
  const [frozen, other] = await service.untilWorkers(allReady);
  const asked = 10;
  for (let count = 0; count < asked; count += 1) expect(await ask(service.url, false)).toMatchObject({ status: 200 });
  expect(await decisionsIn(service.managementUrl)).toBe(asked);

  process.kill(frozen?.pid ?? 0, 'SIGSTOP');
  const silent = await service.untilWorkers((workers) => workers[0]?.ready === false);
  expect(silent[0]?.pid).toBe(frozen?.pid);
  expect(service.output()).toMatch(/"level":40.*a worker does not answer and counts as not ready/);
  expect(await decisionsIn(service.managementUrl)).toBe(asked);
  expect((await fetch(`${service.managementUrl}/readyz`)).status).toBe(200);
  const caughtUp = Promise.all(Array.from({ length: 4 }, () => ask(service.url, false)));

  const replaced = await service.untilWorkers((workers) => workers[0]?.ready === true);
  // Whoever was dealt to it before it was known to be silent is not left waiting for ever.
  const answered = (await caughtUp).filter((answer) => answer !== null).length;
  expect(replaced[0]?.pid).not.toBe(frozen?.pid);
  expect(replaced[1]).toEqual(other);
  expect(isRunning(frozen?.pid ?? null)).toBe(false);
  expect(service.output()).toMatch(/"level":40.*a worker did not answer for too long and is killed/);
  expect(service.output()).toMatch(/"signal":"SIGKILL".*a worker ended and is replaced/);
  expect(await decisionsIn(service.managementUrl)).toBe(asked + answered);
  for (let count = 0; count < asked; count += 1) expect(await ask(service.url, false)).toMatchObject({ status: 200 });
});

test('where the first worker cannot run, the service ends as one process would, and says why once', async () => {
  await using directory = await temporaryDirectory();
  const env = { STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0', STEPWELL_WORKERS: '2', STEPWELL_DATA_DIR: directory.path };
  const { code, stdout, stderr } = await stepwell(['serve'], { env: { ...env, STEPWELL_POLICY: '/nowhere.yaml' } });
  expect(stderr.match(/^stepwell: .*there is no such file$/gm)).toHaveLength(1);
  expect(stderr.split('there is no such file')).toHaveLength(2);
  expect(code).toBe(2);
  expect(stdout).toBe('');
});
