/** Thousands of requests that are wrong in every way we could think of: none breaks anything, and none is repeated. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { startService } from '../http/service.ts';
import { seed } from '../oracle/runs.ts';
import { sendMalformed, type Target } from './malformed-runs.ts';

const count = process.env.STEPWELL_TEST_LONG === '1' ? 1_000_000 : 20_000;
const socketsMax = 32;

async function portOf(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

it(`${count} malformed requests: nobody crashes, no answer is of 5xx but 501, none may be kept, nothing is repeated`, {
  timeout: 0,
}, async () => {
  console.log(`malformed requests from seed ${seed} (FC_SEED)`);
  const key = 'a-key-that-only-these-tests-know';
  const sha256 = createHash('sha256').update(key).digest('hex');
  const open = await startService();
  const keyed = await startService({ apiKeys: [{ id: 'tester', sha256, scopes: ['admin'] }] });
  const management = await buildManagement(open.parts);
  onTestFinished(() => management.close());
  const targets: readonly Target[] = [
    { name: 'without keys', port: await portOf(open.app), key: null },
    { name: 'with keys', port: await portOf(keyed.app), key },
    { name: 'management', port: await portOf(management), key: null },
  ];
  const before = await decisionOf(open.app);

  const { faults, statuses, unanswered } = await sendMalformed({ targets, firstSeed: seed, count, socketsMax });

  const counts = [...statuses].sort(([left], [right]) => left - right).map(([status, times]) => `${status}: ${times}`);
  console.log(`${counts.join(', ')}; closed without a word: ${unanswered}`);
  expect(faults).toEqual([]);
  // A fuzzer that is refused at the door tries nothing: it has to reach the routes, and be answered.
  expect(unanswered).toBeLessThan(count / 10);
  for (const status of [200, 201, 204, 400, 401, 404, 405, 413, 415, 431, 501])
    expect(statuses.get(status) ?? 0, `${status}`).toBeGreaterThan(0);
  expect(await decisionOf(open.app)).toEqual(before);
  expect(Object.keys(Object.prototype)).toEqual([]);
});

async function decisionOf(app: FastifyInstance): Promise<unknown> {
  const answer = await app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home', context: { country: 'DE' } } });
  const { decisionId: _, deadline: __, ...rest } = answer.json();
  return rest;
}

it('is watched by a guard that can fail: a server that repeats, fails and forgets is found out three times over', async () => {
  const server = createServer((request, response) => {
    response.writeHead(500).end(`no ${request.url}`);
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { faults } = await sendMalformed({ targets: [{ name: 'bare', port, key: null }], firstSeed: 1, count: 50, socketsMax: 4 });
  for (const sentence of ['answered 500', 'without Cache-Control', 'what was sent came back']) {
    expect(
      faults.some((fault) => fault.includes(sentence)),
      sentence,
    ).toBe(true);
  }
});
