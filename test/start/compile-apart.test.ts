/** Compiling in a thread of its own: the same artefact as here, bounded in time and memory. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { policyOfOffers } from '../../bench/core-policies.ts';
import { createApartCompiler } from '../../src/start/compile-apart.ts';
import { compileHere } from '../../src/start/held-policy.ts';
import { systemClock } from '../../src/time/clock.ts';

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
