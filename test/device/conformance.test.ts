/**
 * The corpus through the core for devices. A case applies where a device can put its question: nobody is proved, no store is asked, no
 * rule that a device may not hold could decide. The rest is listed with its reason, so that none is left out unseen.
 */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decideOnDevice } from '../../src/device/decide-on-device.ts';
import { trim } from '../../src/device/trim.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { assembled, type ConformanceCase } from '../conformance/assemble.ts';
import { corpus, policyText } from '../conformance/corpus.ts';
import { documentFrom } from '../oracle/parse.ts';

interface Expected {
  readonly zones: readonly Readonly<Record<string, unknown>>[];
}

function obstacle({ request, credentials, trouble, expected }: ConformanceCase): string | null {
  if (request.method === 'GET') return 'it is a GET: a shared answer, for nobody in particular';
  if (request.body.explain === true) return 'it asks for an explanation';
  if (request.child || request.body.consent?.tcf !== undefined) return 'its consent comes in signals that a device does not read';
  if (credentials.token !== undefined || request.body.identity?.deviceId !== undefined)
    return 'somebody is known by a token or a device id';
  if (credentials.session !== undefined) return 'it is about the record of a session';
  if (Object.keys(trouble).length > 0) return 'a dependency is in trouble, and a device has none';
  if ((expected as unknown as Expected).zones === undefined) return 'it expects a problem';
  return null;
}

/** What a policy would mark that wants all of it decided on devices. */
function markedWhole(artefact: Artefact): Artefact {
  const zones = Object.entries(artefact.zones).map(([id, zone]) => {
    const ladder = zone.ladder.map((rung) => {
      const { select } = rung;
      return select.by === 'choose'
        ? { ...rung, select: { ...select, rules: select.rules.map((rule) => ({ ...rule, device: true })) } }
        : rung;
    });
    return [id, { ...zone, ladder }];
  });
  const offers = Object.entries(artefact.offers).map(([id, offer]) => [id, { ...offer, device: true }]);
  return { ...artefact, zones: Object.fromEntries(zones), offers: Object.fromEntries(offers) };
}

const applying = corpus.filter((given) => obstacle(given) === null);
const counted = new Map<string, number>();
for (const given of corpus) {
  const why = obstacle(given) ?? 'it applies';
  counted.set(why, (counted.get(why) ?? 0) + 1);
}
console.log(`the corpus on devices: ${[...counted].map(([why, count]) => `${count}: ${why}`).join('; ')}`);

describe('a device', () => {
  test('is asked enough of the corpus', () => {
    expect(applying.length).toBeGreaterThanOrEqual(10);
  });

  test.each(applying)('$id: $why', (given) => {
    const { question } = assembled(given, documentFrom(policyText(given)));
    const { artefact } = compilePolicy(policyText(given), { file: `${given.policy}.json`, nowMs: question.nowMs });
    if (artefact === null || given.request.method === 'GET') throw new Error('the corpus does not load');
    const said = Object.entries(given.request.body.consent?.useCases ?? {}).filter(([, state]) => state !== 'unavailable');
    const { nowMs, page, zones, request, audiences } = question;
    const asked = {
      nowMs,
      page,
      zones,
      shownOffers: [],
      request,
      audiences: audiences ?? undefined,
      consent: Object.fromEntries(said),
      gpc: given.request.gpc,
      signals: null,
      seed: '',
    };
    const decided = decideOnDevice(trim(markedWhole(artefact), nowMs).artefact, asked);
    const expected = (given.expected as unknown as Expected).zones.map(
      ({ holdout: _holdout, propensityPpm: _ppm, cache: _cache, ...zone }) => zone,
    );
    expect(decided).toEqual(expected);
  });
});
