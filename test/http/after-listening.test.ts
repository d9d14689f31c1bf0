/** What is prepared once the service listens: in its order, one piece at a time, and never after the end. */
import { fastify } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { afterListening } from '../../src/http/after-listening.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const pauseMs = 20;

async function pass(clock: VirtualClock, pauses: number): Promise<void> {
  for (let pause = 0; pause < pauses; pause += 1) {
    clock.advance(pauseMs);
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

function scene() {
  const app = fastify();
  const clock = new VirtualClock();
  const done: string[] = [];
  onTestFinished(() => app.close());
  const piece = (name: string) => () => done.push(name);
  return { app, clock, done, piece, listen: () => app.listen({ host: '127.0.0.1', port: 0 }) };
}

test('nothing is prepared before the service listens, then one piece after each pause, whoever gave it', async () => {
  const { app, clock, done, piece, listen } = scene();
  afterListening(app, clock, [piece('a'), piece('b')]);
  await app.register(async (inner) => afterListening(inner, clock, [piece('c')]));
  await app.ready();
  await pass(clock, 5);
  expect(done).toEqual([]);
  await listen();
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
    await pass(clock, 1);
    expect(done).toEqual(expected);
  }
});

test('a piece that fails, at once or later, keeps no other from being prepared', async () => {
  const { app, clock, done, piece, listen } = scene();
  const fails = () => {
    throw new Error('at once');
  };
  afterListening(app, clock, [fails, async () => Promise.reject(new Error('later')), piece('after')]);
  await listen();
  await pass(clock, 3);
  expect(done).toEqual(['after']);
});

test('what a service that closes has not begun is not begun', async () => {
  const { app, clock, done, piece, listen } = scene();
  afterListening(app, clock, [piece('a'), piece('b')]);
  await listen();
  await pass(clock, 1);
  await app.close();
  await pass(clock, 3);
  expect(done).toEqual(['a']);
});

test('a piece that is given when all the others are done is prepared too, and none once the service has closed', async () => {
  const { app, clock, done, piece, listen } = scene();
  afterListening(app, clock, [piece('a')]);
  await listen();
  await pass(clock, 3);
  afterListening(app, clock, [piece('b'), piece('c')]);
  await pass(clock, 1);
  expect(done).toEqual(['a', 'b']);
  await pass(clock, 1);
  expect(done).toEqual(['a', 'b', 'c']);
  await app.close();
  afterListening(app, clock, [piece('d')]);
  await pass(clock, 3);
  expect(done).toEqual(['a', 'b', 'c']);
  expect(clock.pendingTimers).toBe(0);
});
