/**
 * Policies that are replaced while the service decides: no answer is made of two of them, a broken one never replaces a working
 * one, and whatever somebody writes into the file, the service lives and decides.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { emptyReading } from '../../src/records/reading.ts';
import type { StoreReading } from '../../src/records/store.ts';
import { createPolicyHolder } from '../../src/start/held-policy.ts';
import { openServicePolicy } from '../../src/start/service-policy.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { startService } from '../http/service.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const isLong = process.env.STEPWELL_TEST_LONG === '1';
const reloads = isLong ? 1_000 : 8;
const mutations = isLong ? 10_000 : 300;
const callersAtOnce = 4;

const text = await readFile('test/http/policy.yaml', 'utf8');
const quiet = { info() {}, warn() {}, error() {} };

/** The same shop with its mark on every variant's name and in every variant's content. */
function marked(mark: string): string {
  return text.replace(/\b(hero-\w+|rail-editorial|offer-gold)\b/g, `$1-${mark}`).replace(/content: \{/g, `content: { mark: ${mark},`);
}

interface Answer {
  readonly policy: { readonly revision: string; readonly stale: boolean };
  readonly zones: readonly { readonly variant: string | null; readonly content: { readonly mark?: string } | null }[];
}

/** What is wrong with an answer whose revision carries that mark, or null. */
function tornness({ policy, zones }: Answer, markOf: ReadonlyMap<string, string>): string | null {
  const mark = markOf.get(policy.revision);
  if (mark === undefined) return `revision ${policy.revision} was never in force`;
  const alien = zones.find(({ variant, content }) => !variant?.endsWith(`-${mark}`) || content?.mark !== mark);
  return alien === undefined ? null : `revision of ${mark} with ${JSON.stringify(alien)}`;
}

test(`over ${reloads} reloads under load every answer is wholly of one policy, and broken ones change nothing`, async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'policy.yaml');
  await writeFile(path, marked('a'));
  const clock = new VirtualClock();
  const policy = await openServicePolicy({ path, keptIn: directory.path, clock, logger: quiet, onReplaced() {} });
  // A store that takes a few turns: most requests begin under one policy and are decided after the next has come.
  const read = async (): Promise<StoreReading> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return emptyReading;
  };
  const service = await startService({ policy, clock, store: { kind: 'embedded', read } as never });
  const token = await service.tokenOf('somebody');
  const markOf = new Map([[policy.current().artefact.revision, 'a']]);
  const torn: string[] = [];
  let answers = 0;
  let isOver = false;

  async function keepAsking(): Promise<void> {
    while (!isOver) {
      const payload = { page: 'home', identity: { token }, context: { country: 'DE' } };
      const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload });
      answers += 1;
      if (response.statusCode !== 200) torn.push(`status ${response.statusCode}`);
      else torn.push(...[tornness(response.json(), markOf)].filter((fault) => fault !== null));
    }
  }

  onTestFinished(async () => {
    isOver = true;
    await Promise.all(callers);
    await policy.dispose();
  });
  const callers = Array.from({ length: callersAtOnce }, keepAsking);
  const replacedRevisions: string[] = [];
  for (let count = 0; count < reloads; count += 1) {
    const mark = count % 2 === 0 ? 'b' : 'a';
    if (count % 4 === 3) {
      await writeFile(path, marked('broken').slice(0, 600 + count));
      expect(await policy.reload()).toBe(false);
    } else {
      // What carries the new mark may be answered in the very turn in which it comes into force.
      markOf.set(await revisionOf(marked(mark), path, clock), mark);
      await writeFile(path, marked(mark));
      expect(await policy.reload()).toBe(true);
      replacedRevisions.push(policy.current().artefact.revision);
    }
  }
  isOver = true;
  await Promise.all(callers);
  expect(torn).toEqual([]);
  expect(answers).toBeGreaterThan(reloads);
  expect(policy.loads).toEqual({ in_force: 1 + reloads - Math.floor(reloads / 4), refused: Math.floor(reloads / 4) });
  expect(new Set(replacedRevisions).size).toBe(2);
});

async function revisionOf(policyText: string, file: string, clock: VirtualClock): Promise<string> {
  const holder = createPolicyHolder(clock);
  await holder.accept({ file, bytes: Buffer.from(policyText) });
  return holder.current()?.artefact.revision ?? '';
}

test('the guard against torn answers sees content of one policy under the revision of another', () => {
  const markOf = new Map([['1', 'a']]);
  const zone = (mark: string) => ({ variant: `hero-standard-${mark}`, content: { mark } });
  const policy = { revision: '1', stale: false };
  expect(tornness({ policy, zones: [zone('a'), zone('a')] }, markOf)).toBeNull();
  expect(tornness({ policy, zones: [zone('a'), zone('b')] }, markOf)).toContain('hero-standard-b');
  expect(tornness({ policy: { revision: '2', stale: false }, zones: [] }, markOf)).toContain('never in force');
});

const lines = text.split('\n');
const words = [...new Set(text.match(/[\w.-]+/g))];
const strange = [
  '__proto__: 1',
  '&a [*a]',
  '<<: {}',
  '\t',
  '\u0000',
  '- -',
  '{',
  '}',
  '"',
  "'",
  '|',
  '1e999',
  '.nan',
  '~',
  '!!js/function x',
  '\ufeff',
];
const line = fc.nat({ max: lines.length - 1 });

/** One change to the text of a policy: an edit of what it shows, or a slip of the hand, a bad merge or a failing disk. */
const mutation: fc.Arbitrary<(given: string) => string> = fc.oneof(
  // Often enough that policies which are taken are not left to luck.
  {
    weight: 3,
    arbitrary: fc
      .stringMatching(/^[a-z ]{1,20}$/)
      .map((words) => (given: string) => given.replace(/headline: "[^"]*"/, `headline: "${words}"`)),
  },
  line.map((at) => (given: string) => given.split('\n').toSpliced(at, 1).join('\n')),
  fc.tuple(line, line).map(
    ([from, to]) =>
      (given: string) =>
        given
          .split('\n')
          .toSpliced(to, 0, lines[from] ?? '')
          .join('\n'),
  ),
  fc.tuple(line, fc.constantFrom(...strange)).map(
    ([at, what]) =>
      (given: string) =>
        given.split('\n').toSpliced(at, 0, what).join('\n'),
  ),
  fc.nat({ max: text.length }).map((end) => (given: string) => given.slice(0, end)),
  fc.tuple(fc.nat({ max: text.length }), fc.nat({ max: 40 })).map(
    ([at, length]) =>
      (given: string) =>
        given.slice(0, at) + given.slice(at + length),
  ),
  fc.tuple(fc.nat({ max: text.length - 1 }), fc.nat({ max: 7 })).map(
    ([at, bit]) =>
      (given: string) =>
        given.slice(0, at) + String.fromCharCode((given.charCodeAt(at) || 0) ^ (1 << bit)) + given.slice(at + 1),
  ),
  fc.tuple(fc.constantFrom(...words), fc.constantFrom(...words, ...strange)).map(
    ([from, to]) =>
      (given: string) =>
        given.replace(from, () => to),
  ),
);

const questions = [{ page: 'home' }, { page: 'home', context: { country: 'DE' } }, { zones: ['hero'] }, { zones: ['offer_rail'] }];

test(`of ${mutations} mutated policies each is refused, and the old one stays, or it decides`, async () => {
  const clock = new VirtualClock();
  const holder = createPolicyHolder(clock);
  const file = 'policy.yaml';
  await holder.accept({ file, bytes: Buffer.from(text) });
  const service = await startService({ policy: holder, clock });
  let refused = 0;
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async (changes) => {
      const before = holder.current()?.artefact;
      const { inForce, problems } = await holder.accept({
        file,
        bytes: Buffer.from(changes.reduce((given, change) => change(given), text)),
      });
      if (inForce) taken += 1;
      else refused += 1;
      if (!inForce) {
        expect(holder.current()).toMatchObject({ artefact: before, stale: true });
        expect(holder.current()?.refused).not.toEqual([]);
        expect(problems.some(({ severity }) => severity === 'error')).toBe(true);
      }
      for (const payload of questions) {
        const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload });
        // A policy may lose a page or a zone, but not all of them, or declare a country no more; what it has, it decides.
        expect([200, 400, 404]).toContain(response.statusCode);
        if (!inForce && before !== undefined) expect(response.json<Answer>().policy?.revision ?? before.revision).toBe(before.revision);
      }
      const zones = Object.keys(holder.current()?.artefact.zones ?? {});
      const all = await service.app.inject({ method: 'POST', url: '/v1/decide', payload: { zones } });
      expect(all.statusCode).toBe(200);
      expect(all.json<Answer>().zones).toHaveLength(zones.length);
    }),
    { numRuns: mutations, verbose: 1 },
  );
  // Mutations that are all refused, or all taken, would show little.
  expect(refused).toBeGreaterThan(mutations / 10);
  expect(taken).toBeGreaterThan(mutations / 20);
});
