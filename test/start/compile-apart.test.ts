/** Compiling in a thread of its own: the same artefact as here, bounded in time and memory. */
import { readFile } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, test, vi } from 'vitest';
import { policyOfOffers } from '../../bench/core-policies.ts';
import { createApartCompiler } from '../../src/start/compile-apart.ts';
import { compileHere } from '../../src/start/held-policy.ts';
import { systemClock } from '../../src/time/clock.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const nowMs = Date.UTC(2026, 10, 21, 12);
const limits = { seconds: 60, memoryMegabytes: 512 };

/** Every object in it, by its path: whether it is frozen and whether it has a prototype. */
function natureOf(value: unknown, path = ''): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  const bare = Object.getPrototypeOf(value) === null ? 'bare' : 'plain';
  const frozen = Object.isFrozen(value) ? 'frozen' : 'open';
  return [`${path} ${bare} ${frozen}`, ...Object.entries(value).flatMap(([name, member]) => natureOf(member, `${path}/${name}`))];
}

test.each([
  ['examples/retail.yaml', await readFile('examples/retail.yaml')],
  ['test/http/policy.yaml', await readFile('test/http/policy.yaml')],
  ['many.json', Buffer.from(policyOfOffers(400))],
])('%s comes back the same to the last leaf: content, order, frozenness and prototypes', async (file, bytes) => {
  const here = await compileHere(bytes, { file, nowMs });
  const apart = await createApartCompiler(systemClock, limits).compile(bytes, { file, nowMs });
  expect(apart.problems).toEqual(here.problems);
  expect(JSON.stringify(apart.artefact?.offers)).toBe(JSON.stringify(here.artefact?.offers));
  expect(apart.artefact).toEqual(here.artefact);
  expect(natureOf(apart.artefact).toSorted()).toEqual(natureOf(here.artefact).toSorted());
});

test('a broken policy brings every problem with its place', async () => {
  const bytes = Buffer.from('stepwell: 7\npolicy: constructor\n');
  const options = { file: 'policy.yaml', nowMs };
  expect(await createApartCompiler(systemClock, limits).compile(bytes, options)).toEqual(await compileHere(bytes, options));
});

test('a policy that takes too long is refused in plain words', async () => {
  const atOnce = { after: (_: number, callback: () => void) => systemClock.after(0, callback) };
  const { artefact, problems } = await createApartCompiler(atOnce, limits).compile(Buffer.from('stepwell: 1'), { file: 'p.yaml', nowMs });
  expect(artefact).toBeNull();
  expect(problems).toEqual([expect.objectContaining({ severity: 'error', message: expect.stringContaining('more than 60 seconds') })]);
});

test('a policy that takes too much memory is refused in plain words, and the service lives', async () => {
  const compiler = createApartCompiler(systemClock, { seconds: 60, memoryMegabytes: 24 });
  const { artefact, problems } = await compiler.compile(Buffer.from(policyOfOffers(5000)), { file: 'p.yaml', nowMs });
  expect(artefact).toBeNull();
  expect(problems).toEqual([expect.objectContaining({ severity: 'error', message: expect.stringContaining('more than 24 megabytes') })]);
});

describe('the thread', async () => {
  const small = { file: 'policy.yaml', bytes: await readFile('test/http/policy.yaml') };
  const many = { file: 'many.json', bytes: Buffer.from(policyOfOffers(400)) };

  function scene(memoryMegabytes = limits.memoryMegabytes) {
    const clock = new VirtualClock();
    const threads: Worker[] = [];
    const count = (worker: Worker): void => void threads.push(worker);
    process.on('worker', count);
    const compiler = createApartCompiler(clock, { seconds: 60, memoryMegabytes });
    onTestFinished(() => {
      process.off('worker', count);
      compiler.dispose();
    });
    const compile = ({ file, bytes }: typeof small) => compiler.compile(bytes, { file, nowMs });
    return { clock, threads, compiler, compile };
  }

  it('takes one policy after another, broken ones too, and each is compiled as if it were the first', async () => {
    const { threads, compile } = scene();
    const broken = { file: 'policy.yaml', bytes: Buffer.from('stepwell: 7\npolicy: constructor\n') };
    for (const given of [small, broken, small]) {
      expect(await compile(given)).toEqual(await compileHere(given.bytes, { file: given.file, nowMs }));
    }
    expect(threads).toHaveLength(1);
  });

  it('is not shared by policies that are compiled at once', async () => {
    const { threads, compile } = scene();
    const [one, other] = await Promise.all([compile(small), compile(small)]);
    expect(one).toEqual(other);
    expect(threads).toHaveLength(2);
  });

  it('does not outlive its rest, nor the compiler', async () => {
    const { clock, threads, compiler, compile } = scene();
    await compile(small);
    clock.advance(10_000);
    await compile(small);
    compiler.dispose();
    await vi.waitFor(() => expect(threads.map(({ threadId }) => threadId)).toEqual([-1, -1]), { timeout: 60_000 });
  });

  it('does not rest after a large policy', async () => {
    const { threads, compile } = scene();
    await compile(many);
    await compile(small);
    expect(threads).toHaveLength(2);
  });

  it('that dies while it rests is replaced', async () => {
    const { threads, compile } = scene();
    await compile(small);
    await threads[0]?.terminate();
    expect((await compile(small)).problems).toEqual((await compileHere(small.bytes, { file: small.file, nowMs })).problems);
    expect(threads).toHaveLength(2);
  });
});
