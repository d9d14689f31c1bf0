/** An answer for everybody stays what it is, byte for byte, until the instant that it is said to hold until; and one key is one answer at any. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { VisitorContext } from '../../src/classes/collapse.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { sharedUntilMs } from '../../src/decision/shared-until.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { segmentPolicy, signals } from '../classes/segment-policy.ts';
import { policyDocument } from '../generate/document.ts';
import { baseNowMs, offsets } from '../generate/vocabulary.ts';
import { toPolicyText } from '../oracle/document.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);

const instants = fc
  .record({ seconds: fc.constantFrom(...offsets), more: fc.constantFrom(0, 3600, 86_400), byMs: fc.constantFrom(-1, 0, 1) })
  .map(({ seconds, more, byMs }) => baseNowMs + (seconds + more) * 1000 + byMs);

function questionOf(artefact: Artefact, { audiences, ...request }: VisitorContext, nowMs: number): Question {
  const zones = artefact.pages.home?.zones ?? Object.keys(artefact.zones);
  const asked = { audience: 'shared', page: 'home', zones, shownOffers: [], explain: false } as const;
  return { ...asked, nowMs, request: request as Question['request'], audiences: (audiences as readonly string[] | undefined) ?? null };
}

test('a shared answer keeps its bytes until it is said to end, and two that have one key have the same', () => {
  console.log(`seed of the instants: ${seed}`);
  const met = { kept: 0, counted: 0, sameKeys: 0 };
  fc.assert(
    fc.property(
      fc.oneof(policyDocument, segmentPolicy),
      fc.array(signals, { minLength: 4, maxLength: 4 }),
      fc.array(instants, { minLength: 6, maxLength: 6 }),
      (document, visitors, times) => {
        const { artefact } = compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs });
        if (artefact === null) return;
        const held = new Map<string, string>();
        for (const visitor of visitors) {
          for (const nowMs of times) {
            const question = questionOf(artefact, visitor, nowMs);
            const { zones } = decide(artefact, question, noEvidence);
            const untilMs = sharedUntilMs(artefact, question) ?? nowMs + 86_400_000 * 365;
            if (untilMs > nowMs) {
              expect(decide(artefact, { ...question, nowMs: untilMs - 1 }, noEvidence).zones).toEqual(zones);
              met.kept++;
            }
            for (const zone of zones) {
              const { key } = zone.cache;
              if (key === null) continue;
              const bytes = JSON.stringify(zone);
              if (held.has(key)) met.sameKeys++;
              expect(held.get(key) ?? bytes).toBe(bytes);
              held.set(key, bytes);
              if (/arrived=.*@now=/.test(key)) met.counted++;
            }
          }
        }
      },
    ),
    { seed, numRuns: 150, endOnFailure: true },
  );
  console.log(`shared answers at two instants: ${JSON.stringify(met)}`);
  expect(Math.min(...Object.values(met))).toBeGreaterThan(5);
});
