/**
 * The core alone: nanoseconds per call of `decide`, and of `needs`, in a process of their own. Prints JSON for `run.ts`. Every case
 * is checked to decide what it claims before it is timed, and the cases take turns, so that a slow minute slows all of them.
 */
import { readFileSync } from 'node:fs';
import type { Artefact } from '../src/decision/artefact.ts';
import { decide } from '../src/decision/decide.ts';
import type { Evidence } from '../src/decision/facts.ts';
import { needs } from '../src/decision/needs.ts';
import type { Question } from '../src/decision/question.ts';
import type { Tier } from '../src/decision/vocabulary.ts';
import { personalUseCases } from '../src/decision/vocabulary.ts';
import { compilePolicy, formatProblem } from '../src/policy/compile.ts';
import { policyOfOffers, policyOfRungs, rungCounts } from './core-policies.ts';
import { type Spread, spreadOf } from './statistics.ts';

export interface CoreReport {
  readonly repeats: number;
  readonly cases: readonly CoreCaseReport[];
}

export interface CoreCaseReport {
  readonly group: CoreGroup;
  readonly name: string;
  /** What the timed decision answers. */
  readonly answers: string;
  readonly nanoseconds: Spread;
}

export type CoreGroup = 'offers' | 'rungs' | 'demo page' | 'needs';

interface CoreCase {
  readonly group: CoreGroup;
  readonly name: string;
  readonly answers: string;
  /** Returns a number that depends on the answer, so that nothing timed can be optimised away. */
  readonly run: () => number;
}

const nowMs = Date.UTC(2026, 10, 1);
const isQuick = process.argv.includes('--quick');
const repeats = isQuick ? 3 : 11;
const repeatMs = isQuick ? 5 : 60;
const offerCounts = isQuick ? [10, 100, 1_000] : [10, 100, 1_000, 10_000];

const visitor = {
  favourite_category: 'shoes',
  orders_count: 9,
  days_since_order: 12,
};

const granted = Object.fromEntries(personalUseCases.map((useCase) => [useCase, 'granted' as const]));

const evidence: Evidence = {
  identity: {
    token: {
      state: 'verified',
      subject: 'bench-visitor',
      method: 'deterministic',
      expired: false,
      authTimeSeconds: null,
      generation: 0,
      binding: 'none',
    },
    session: { state: 'verified', id: 'bench-session' },
    device: { state: 'refused' },
    generation: { state: 'known', value: 0 },
    tokenRevoked: { state: 'known', value: false },
  },
  consent: {
    signals: [],
    gpc: false,
    stored: { state: 'known', value: { useCases: granted, recordedAtMs: nowMs - 86_400_000 } },
    linked: { state: 'refused' },
  },
  profile: { state: 'known', value: { attributes: visitor, audiences: ['newsletter'] } },
  session: { state: 'known', value: { attributes: { last_category: 'shoes', cart_items: 1 } } },
  audience: { state: 'refused' },
  model: { state: 'refused' },
};

const goldEvidence: Evidence = {
  ...evidence,
  profile: {
    state: 'known',
    value: {
      attributes: {
        ...visitor,
        loyalty: 'gold',
        favourite_brands: ['Nordkap'],
        has_app: true,
        lifetime_value_cents: 214_300,
        a_11: 0,
      },
      audiences: ['newsletter'],
    },
  },
};

const lateEvidence: Evidence = {
  identity: { ...evidence.identity, generation: { state: 'late' }, tokenRevoked: { state: 'late' } },
  consent: { ...evidence.consent, stored: { state: 'late' } },
  profile: { state: 'late' },
  session: { state: 'late' },
  audience: { state: 'refused' },
  model: { state: 'refused' },
};

function question(zones: readonly string[], request: Question['request']): Question {
  return { nowMs, audience: 'personal', page: 'home', zones, shownOffers: [], request, audiences: null, explain: false };
}

const plain = { country: 'DE', device: 'mobile' };

function compiled(text: string, file: string): Artefact {
  const { artefact, problems } = compilePolicy(text, { file, nowMs });
  if (artefact === null) throw new Error(`a policy of the bench does not load:\n${problems.slice(0, 5).map(formatProblem).join('\n')}`);
  return artefact;
}

function decideCase(
  group: CoreGroup,
  name: string,
  artefact: Artefact,
  asked: Question,
  given: Evidence,
  expected: readonly Tier[],
): CoreCase {
  const { zones } = decide(artefact, asked, given);
  const served = zones.map(({ tier }) => tier);
  if (served.join() !== expected.join())
    throw new Error(`${group}, ${name}: served ${served.join()}, and ${expected.join()} was to be measured`);
  return { group, name, answers: tally(served), run: () => decide(artefact, asked, given).zones.length };
}

function tally(served: readonly Tier[]): string {
  const counts = new Map<Tier, number>();
  for (const tier of served) counts.set(tier, (counts.get(tier) ?? 0) + 1);
  return [...counts].map(([tier, count]) => (served.length === 1 ? tier : `${count} ${tier}`)).join(', ');
}

const demo = compiled(readFileSync(new URL('../examples/retail.yaml', import.meta.url), 'utf8'), 'examples/retail.yaml');
const home = demo.pages.home?.zones ?? [];
const homeQuestion = question(home, { country: 'DE', device: 'mobile', referrer: 'search', locale: 'de-DE' });

const cases: readonly CoreCase[] = [
  ...offerCounts.map((count) =>
    decideCase(
      'offers',
      `${count.toLocaleString('en')} offers`,
      compiled(policyOfOffers(count), 'offers.json'),
      question(['rail'], plain),
      evidence,
      ['user'],
    ),
  ),
  ...rungCounts.map((count) =>
    decideCase(
      'rungs',
      `${count} of 4 tried, the last serves`,
      compiled(policyOfRungs(count), 'rungs.json'),
      question(['hero'], plain),
      evidence,
      ['anonymous'],
    ),
  ),
  decideCase(
    'rungs',
    'of 4 the first serves',
    compiled(policyOfRungs(4), 'rungs.json'),
    question(['hero'], { ...plain, campaign: 'spring' }),
    evidence,
    ['user'],
  ),
  ...(
    [
      ['a gold customer', goldEvidence],
      ['every dependency late', lateEvidence],
    ] as const
  ).map(([name, given]) =>
    decideCase(
      'demo page',
      `home, ${home.length} zones, ${name}`,
      demo,
      homeQuestion,
      given,
      decide(demo, homeQuestion, given).zones.map(({ tier }) => tier),
    ),
  ),
  {
    group: 'needs',
    name: `home, ${home.length} zones`,
    answers: 'the reading list',
    run: () => needs(demo, homeQuestion).profileKinds.length,
  },
];

function nanosecondsPerCall({ run }: CoreCase, forMs: number): number {
  const startedAt = process.hrtime.bigint();
  const endsAt = startedAt + BigInt(Math.round(forMs * 1e6));
  let calls = 0;
  let kept = 0;
  let batch = 1;
  let at = startedAt;
  while (at < endsAt) {
    for (let call = 0; call < batch; call += 1) kept += run();
    calls += batch;
    at = process.hrtime.bigint();
    // The clock is read about every tenth of a millisecond, so that reading it costs nothing beside what is timed.
    if (batch < 4_096 && Number(at - startedAt) / calls < 1e5 / batch) batch *= 2;
  }
  if (kept < 0) throw new Error('impossible');
  return Number(at - startedAt) / calls;
}

const measured = cases.map((): number[] => []);
for (const each of cases) nanosecondsPerCall(each, repeatMs * 3);
for (let repeat = 0; repeat < repeats; repeat += 1) {
  for (const [index, each] of cases.entries()) measured[index]?.push(nanosecondsPerCall(each, repeatMs));
}

const report: CoreReport = {
  repeats,
  cases: cases.map(({ group, name, answers }, index) => ({ group, name, answers, nanoseconds: spreadOf(measured[index] ?? []) })),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
