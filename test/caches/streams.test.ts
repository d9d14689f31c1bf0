/** A decision that comes zone by zone comes whole through caches, line for line, over whichever HTTP they speak to the service. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { Person } from '../../bench/faults/people.ts';
import { productsTried } from './cache-products.ts';
import { createClient } from './client.ts';
import { startCache } from './start-cache.ts';
import { type CacheWorld, createCacheWorld, keyOf } from './world.ts';

let world: CacheWorld;
const client = createClient();

beforeAll(async () => {
  world = await createCacheWorld();
});

afterAll(async () => {
  client.close();
  await world?.end();
});

const headers = { 'content-type': 'application/json', accept: 'application/x-ndjson', authorization: `Bearer ${keyOf('edge')}` };
const bodyOf = ({ body }: Person): string => JSON.stringify({ ...body, deadlineMs: 500 });

interface Line {
  readonly zone?: string;
  readonly decisionId?: string;
}

/** Which zones came, in any order, and then the envelope; anything else shows. */
function shapeOf(text: string): readonly string[] {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const zones = lines.slice(0, -1).map(({ zone }) => zone ?? 'no zone');
  return [...zones.toSorted(), lines.at(-1)?.decisionId === undefined ? 'no envelope' : 'envelope'];
}

const whole = ['footer', 'greeting', 'rail', 'envelope'];
const cases = productsTried.flatMap((name) => (['ordinary', 'hostile', 'plain'] as const).map((manner) => ({ name, manner })));

it.each(cases)('through $name, $manner', async ({ name, manner }) => {
  const cache = await startCache(name, manner, world.service.port);
  onTestFinished(() => cache.stop());
  for (const person of world.people.slice(0, 20)) {
    const {
      status,
      headers: said,
      body,
    } = await client.ask(cache.port, { method: 'POST', path: '/v1/decide', headers, body: bodyOf(person) });
    expect([status, said['content-type'], said.trailer]).toEqual([200, 'application/x-ndjson; charset=utf-8', undefined]);
    expect(shapeOf(body)).toEqual(whole);
  }
});

/** The bytes that come until the other side has closed. */
function untilClosed(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}

it.each(productsTried)('through %s, to a caller of HTTP/1.0', async (name) => {
  const cache = await startCache(name, 'ordinary', world.service.port);
  onTestFinished(() => cache.stop());
  const [person] = world.people;
  if (person === undefined) throw new Error('nobody is there to ask');
  const body = bodyOf(person);
  const lines = Object.entries({ host: 'localhost', ...headers, 'content-length': Buffer.byteLength(body) }).map(
    ([key, value]) => `${key}: ${value}\r\n`,
  );
  const text = await untilClosed(cache.port, `POST /v1/decide HTTP/1.0\r\n${lines.join('')}\r\n${body}`);
  const [head = '', ...rest] = text.split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.[01] 200 /);
  expect(head).not.toMatch(/transfer-encoding/i);
  expect(shapeOf(rest.join('\r\n\r\n'))).toEqual(whole);
});
