/** Policies whose every rung is open to everybody, and what an edge may know of those who come. */
import fc from 'fast-check';
import type { VisitorContext } from '../../src/classes/collapse.ts';
import { conditionReading } from '../generate/condition.ts';
import { attributes, baseNowMs, edgeAudiences, integers, offsets, texts } from '../generate/vocabulary.ts';
import { type Condition, everyPart, type PolicyDocument, when } from '../oracle/document.ts';

const values: Readonly<Record<string, readonly unknown[]>> = {
  string: texts.filter((text) => text !== ''),
  int: integers,
  bool: [true, false],
  timestamp: offsets.map((seconds) => baseNowMs + seconds * 1000),
};

/** What an edge may know of a visitor, all of which a question could say. */
export const signals: fc.Arbitrary<VisitorContext> = fc
  .record({
    ...Object.fromEntries(
      Object.entries(attributes.request as Record<string, { type: string; values?: readonly string[] }>).map(([name, declared]) => {
        const some = declared.values ?? values[declared.type] ?? [];
        const list = fc.subarray(
          texts.filter((text) => text !== ''),
          { minLength: 1, maxLength: 3 },
        );
        return [name, fc.option(declared.type === 'strings' ? list : fc.constantFrom(...some), { freq: 3, nil: undefined })];
      }),
    ),
    audiences: fc.option(fc.subarray([...edgeAudiences], { minLength: 1 }), { freq: 2, nil: undefined }),
  })
  .map((drawn) => Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)));

const condition = conditionReading('request').filter((ast) => {
  const macros = [...everyPart(ast)].filter(
    (part): part is Extract<Condition, { is: 'exists' | 'all' }> => part.is === 'exists' || part.is === 'all',
  );
  return !macros.some((macro) => [...everyPart(macro.condition)].some((part) => part.is === 'exists' || part.is === 'all'));
});
const variantId = fc.constantFrom('v1', 'v2', 'v3', 'v4');
const approved = { by: 'somebody', on: '2026-11-01', until: '2027-11-01' };
const iso = (ms: number): string => new Date(ms).toISOString();

/** A policy of which every rung is open to everybody: nothing but classes can keep answers apart. */
export const segmentPolicy: fc.Arbitrary<PolicyDocument> = fc
  .record({
    zones: fc.array(
      fc.record({
        criticality: fc.constantFrom(0, 1, 2),
        rung: fc.oneof(
          fc
            .array(fc.record({ when: condition.map(when), variant: variantId }), { minLength: 1, maxLength: 3 })
            .map((choose) => ({ choose })),
          fc.constantFrom('t1', 't2').map((tag) => ({ arbitrate: { tag } })),
        ),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    offers: fc.array(
      fc.record({
        tags: fc.subarray(['t1', 't2'], { minLength: 1 }),
        variant: variantId,
        when: fc.option(condition.map(when), { nil: null }),
        context: fc.array(fc.record({ when: condition.map(when), perMille: fc.constantFrom(0, 500, 1200, 3000) }), { maxLength: 2 }),
        propensityPpm: fc.constantFrom(1, 500_000, 1_000_000),
        value: fc.constantFrom(0, 7, 100),
        group: fc.constantFrom(null, 'g1'),
        from: fc.constantFrom(null, null, iso(baseNowMs), iso(baseNowMs + 1000)),
        until: fc.constantFrom(null, null, iso(baseNowMs + 3000), iso(baseNowMs + 86_400_000)),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  })
  .map(({ zones, offers }) => {
    const label = { class: 'S0' } as const;
    const labelled = <T extends object>(all: Readonly<Record<string, T>>) =>
      Object.fromEntries(Object.entries(all).map(([name, declared]) => [name, { ...declared, ...label }]));
    const ids = zones.map((_, index) => `z${index}`);
    return {
      stepwell: 1,
      policy: 'segments',
      owner: 'tests',
      contextualWithoutSignal: true,
      attributes: { request: labelled(attributes.request) },
      audiences: Object.fromEntries(edgeAudiences.map((name) => [name, { ...label, edge: true }])),
      pages: { home: { zones: ids } },
      zones: Object.fromEntries(
        zones.map(({ criticality, rung }, index) => [
          ids[index],
          {
            kind: 'content',
            criticality,
            ladder: [
              { tier: 'segment', ...rung },
              { tier: 'anonymous', variant: 'plain', approved },
            ],
          },
        ]),
      ),
      variants: Object.fromEntries(['v1', 'v2', 'v3', 'v4', 'plain'].map((id) => [id, { content: id, ...label }])),
      offers: Object.fromEntries(
        offers.map(({ when: condition, group, from, until, ...offer }, index) => [
          `o${index}`,
          {
            ...offer,
            ...label,
            ...(condition === null ? {} : { when: condition }),
            ...(group === null ? {} : { group }),
            ...(from === null ? {} : { from }),
            ...(until === null ? {} : { until }),
          },
        ]),
      ),
    } as unknown as PolicyDocument;
  });
