/** Questions about a document's zones: with and without a page, in any order, with offers already shown now and then. */
import fc from 'fast-check';
import type { Question } from '../../src/decision/question.ts';
import type { PolicyDocument } from '../oracle/document.ts';
import { attributesFrom } from './evidence.ts';
import { baseNowMs, edgeAudiences } from './vocabulary.ts';

export function questionAbout(document: PolicyDocument): fc.Arbitrary<Question> {
  const zones = Object.keys(document.zones);
  const offers = Object.keys(document.offers);
  return fc
    .record({
      // Around the edges of the windows, and never far: an approval must not have expired.
      nowMs: fc.constantFrom(baseNowMs, baseNowMs, baseNowMs, baseNowMs - 1, baseNowMs + 1, baseNowMs + 999, baseNowMs + 1000),
      audience: fc.oneof(
        { weight: 6, arbitrary: fc.constant('personal' as const) },
        { weight: 1, arbitrary: fc.constant('shared' as const) },
      ),
      page: fc.constantFrom('home', 'home', null),
      zones: fc.shuffledSubarray(zones, { minLength: 1 }),
      shownOffers: fc.oneof({ weight: 4, arbitrary: fc.constant<string[]>([]) }, { weight: 1, arbitrary: fc.subarray(offers) }),
      request: attributesFrom('request'),
      audiences: fc.option(fc.subarray([...edgeAudiences]), { freq: 3, nil: null }),
      explain: fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0),
    })
    .map((drawn) => ({ ...drawn, explain: drawn.explain && drawn.audience === 'personal' }));
}
