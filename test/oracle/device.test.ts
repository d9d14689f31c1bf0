/** What only a device can decide is nothing to a server: policies with such rules and offers put into them decide as they did without. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { evidence } from '../generate/evidence.ts';
import { questionAbout } from '../generate/question.ts';
import type { Decide } from './checks.ts';
import { coreDecide } from './core.ts';
import type { OfferDocument, PolicyDocument, RuleDocument, ZoneDocument } from './document.ts';
import { type Claim, holdsFor, isBrokenBy, saySeed } from './runs.ts';

saySeed();

const ofDevice = 'device.visits > 1 || has(device.visits)';
/** True on a server too, were it asked what this comes to. */
const condition = { cel: `${ofDevice} || now > timestamp("2000-01-01T00:00:00Z")`, ast: { is: 'now' } } as const;
const rule: RuleDocument = { when: condition, variant: 'v1-plain', ...{ class: 'S1', device: true } };

function isOrdinary({ class: ofZone = 'S0' }: ZoneDocument): boolean {
  return ofZone === 'S0' || ofZone === 'S1';
}

function withRule(zone: ZoneDocument): ZoneDocument {
  if (!isOrdinary(zone)) return zone;
  return {
    ...zone,
    ladder: zone.ladder.map((rung) =>
      rung.tier === 'session' && rung.choose !== undefined ? { ...rung, choose: [rule, ...rung.choose] } : rung,
    ),
  };
}

const made = new WeakMap<PolicyDocument, PolicyDocument>();

function withDevice(document: PolicyDocument): PolicyDocument {
  const kept = made.get(document);
  if (kept !== undefined) return kept;
  const tags = Object.values(document.zones).flatMap(({ ladder }) =>
    ladder.flatMap(({ tier, arbitrate }) => (tier === 'session' && arbitrate !== undefined ? [arbitrate.tag] : [])),
  );
  const offer: OfferDocument = { tags: [...new Set(tags)], variant: 'v1-plain', value: 1_000_000, propensityPpm: 1_000_000, class: 'S0' };
  const offers: Record<string, OfferDocument & { device: true }> =
    tags.length === 0
      ? {}
      : {
          asked: { ...offer, when: condition, device: true },
          weighed: { ...offer, context: [{ when: condition, perMille: 2000 }], from: '2026-01-01T00:00:00Z', device: true },
        };
  const changed: PolicyDocument = {
    ...document,
    attributes: { ...document.attributes, ...{ device: { visits: { type: 'int', class: 'S1' } } } },
    zones: Object.fromEntries(Object.entries(document.zones).map(([id, zone]) => [id, withRule(zone)])),
    offers: { ...document.offers, ...offers },
  };
  made.set(document, changed);
  return changed;
}

interface Asked {
  readonly question: Question;
  readonly evidence: Evidence;
}

/** All but the revision, which is the text's. */
function answerOf(decide: Decide, document: PolicyDocument, { question, evidence: given }: Asked) {
  const { zones, ...rest } = decide({ document, question: { ...question, explain: false }, evidence: given });
  const keyless = zones.map((zone) => ({ ...zone, cache: { ...zone.cache, key: zone.cache.key?.replace(/@[0-9a-f]+\//, '/') } }));
  return { ...rest, policy: null, zones: keyless };
}

const changesNothing: Claim<Asked> = {
  says: 'what only a device can decide changes nothing on a server',
  over: (document) => fc.record({ question: questionAbout(document), evidence }),
  check({ decide, needs }, document, drawn) {
    const changed = withDevice(document);
    expect(needs(changed, drawn.question)).toEqual(needs(document, drawn.question));
    expect(answerOf(decide, changed, drawn)).toEqual(answerOf(decide, document, drawn));
    return Object.values(document.zones).some(({ ladder }) => ladder.some(({ tier }) => tier === 'session')) ? 1 : 0;
  },
};

describe(changesNothing.says, () => {
  test('on every case', () => {
    expect(holdsFor(changesNothing)).toBeGreaterThan(0);
  });

  test('and a core that asks what the rest of the condition comes to would be seen', () => {
    const text = (document: PolicyDocument) => JSON.parse(JSON.stringify(document).replaceAll(`${ofDevice} || `, '')) as PolicyDocument;
    const heard = new WeakMap<PolicyDocument, PolicyDocument>();
    const hearing = (document: PolicyDocument) => {
      const kept = heard.get(document) ?? text(document);
      heard.set(document, kept);
      return kept;
    };
    expect(isBrokenBy(changesNothing, { decide: (given) => coreDecide({ ...given, document: hearing(given.document) }) })).toBe(true);
  });
});
