import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerText, zoneText } from '../../src/contract/answer-text.ts';
import { type Candidate, lossReasons, type ZoneDecision } from '../../src/decision/decision.ts';
import { causes, reasons } from '../../src/decision/reasons.ts';
import { dependencies, renders, scopes, tiers } from '../../src/decision/vocabulary.ts';

const text = fc.string({ unit: 'binary' });
const name = fc.option(text);
const tier = fc.constantFrom(...tiers);
const step = fc.record({ tier, reason: fc.constantFrom(...reasons) });

const downgrade = fc.record({
  from: tier,
  to: tier,
  reason: fc.constantFrom(...reasons),
  cause: fc.constantFrom(...causes),
  dependency: fc.option(fc.constantFrom(...dependencies)),
  steps: fc.array(step),
});

const explain = fc.record({
  rungs: fc.array(fc.record({ tier, gate: fc.option(fc.constantFrom(...reasons)) })),
  candidates: fc.array(
    fc.record({ tier, offer: name, variant: text, lost: fc.option(fc.constantFrom(...lossReasons)), score: fc.constant(null) }),
  ),
  facts: fc.record({ identity: text, consent: text, profile: text, session: text, audience: text, model: text }),
});

const zone = fc.record(
  {
    zone: text,
    tier,
    intendedTier: tier,
    variant: name,
    offer: name,
    content: fc.jsonValue() as fc.Arbitrary<ZoneDecision['content']>,
    render: fc.constantFrom(...renders),
    downgrade: fc.option(downgrade),
    cache: fc.record({
      scope: fc.constantFrom(...scopes),
      maxAgeSeconds: fc.nat(),
      key: name,
      tags: fc.array(text),
      degraded: fc.boolean(),
    }),
    holdout: name,
    propensityPpm: fc.option(fc.nat()),
    explain,
  },
  {
    requiredKeys: [
      'zone',
      'tier',
      'intendedTier',
      'variant',
      'offer',
      'content',
      'render',
      'downgrade',
      'cache',
      'holdout',
      'propensityPpm',
    ],
  },
) as fc.Arbitrary<ZoneDecision>;

test('a zone is written in the bytes of JSON.stringify, the first time and from memory', () => {
  fc.assert(
    fc.property(zone, (decided) => {
      expect(zoneText(decided)).toBe(JSON.stringify(decided));
      expect(zoneText({ ...decided })).toBe(JSON.stringify(decided));
    }),
  );
});

test('an answer is its envelope with the zones at its end', () => {
  fc.assert(
    fc.property(fc.dictionary(text, fc.jsonValue()), fc.array(zone), (envelope, zones) => {
      fc.pre(!Object.hasOwn(envelope, 'zones'));
      expect(answerText(envelope, zones)).toBe(JSON.stringify({ ...envelope, zones }));
    }),
  );
});

test('of thousands of candidates the nearest to being chosen are told, the winner first, and how many are not', () => {
  const score = { propensityPpm: 1, value: 1, contextPerMille: 1000, leversPerMille: 1000, priority: 1 };
  const candidate = (lost: Candidate['lost'], index: number): Candidate => ({
    tier: 'user',
    offer: `${lost}-${index}`,
    variant: 'v',
    lost,
    score: lost === 'condition_false' ? null : score,
  });
  const many = (lost: Candidate['lost'], count: number) => Array.from({ length: count }, (_, index) => candidate(lost, index));
  const candidates = [...many('condition_false', 1000), ...many('zero_priority', 200), ...many(null, 1), ...many('lower_priority', 100)];
  const explained = { explain: { rungs: [], candidates, facts: {} } } as unknown as ZoneDecision;
  const { explain } = JSON.parse(zoneText({ ...fc.sample(zone, { numRuns: 1, seed: 1 })[0], ...explained } as ZoneDecision));
  expect(explain.candidates).toHaveLength(256);
  expect(explain.candidatesOmitted).toBe(1301 - 256);
  expect(explain.candidates.map(({ offer }: Candidate) => offer)).toEqual([
    'null-0',
    ...many('lower_priority', 100).map(({ offer }) => offer),
    ...many('zero_priority', 155).map(({ offer }) => offer),
  ]);
});
