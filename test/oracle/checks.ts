/**
 * What must be true of `decide`, each as a function of a `decide`, so that a planted fault can be put through the same check.
 * A check throws when it finds its claim broken, and says what it saw.
 */
import assert from 'node:assert/strict';
import type { Decision, ZoneDecision } from '../../src/decision/decision.ts';
import type { Evidence, Fact } from '../../src/decision/facts.ts';
import type { Needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { tierHeight, tiers } from '../../src/decision/vocabulary.ts';
import type { Case } from '../generate/case.ts';
import type { PolicyDocument } from './document.ts';
import { oracleDecide } from './oracle.ts';

export type Decide = (given: Case) => Decision;
export type Ask = (document: PolicyDocument, question: Question) => Needs;

/** The decision is the oracle's, to the last member; where offers tie exactly, any of the tied may have won. */
export function equalsOracle(decide: Decide, given: Case): void {
  const actual = decide(given);
  const won = new Map(actual.zones.map(({ zone, offer }) => [zone, offer]));
  const expected = oracleDecide(given.document, given.question, given.evidence, {
    breakTie: (zone, tied) => tied.find((offer) => offer === won.get(zone)) ?? (tied[0] as string),
  });
  // Nearly always the texts are one already, and comparing those is cheap.
  if (JSON.stringify(comparable(actual)) === JSON.stringify(comparable(expected))) return;
  assert.deepEqual(plainJson(comparable(actual)), plainJson(comparable(expected)));
}

/** Less evidence never raises the tier of a zone that is asked alone. */
export function lessNeverRaises(decide: Decide, given: Case, less: Evidence): void {
  for (const zone of given.question.zones) {
    const question = { ...given.question, zones: [zone] };
    const full = onlyZone(decide({ ...given, question }));
    const poor = onlyZone(decide({ ...given, question, evidence: less }));
    assert.ok(
      tierHeight(poor.tier) <= tierHeight(full.tier),
      `zone ${zone} rose from ${full.tier} to ${poor.tier}: ${JSON.stringify(poor.downgrade)}`,
    );
  }
}

/** What `needs` does not ask for changes nothing: with all of it refused, the zones are the same. */
export function needsSuffices(decide: Decide, ask: Ask, given: Case): void {
  const question = { ...given.question, explain: false };
  const wanted = ask(given.document, question);
  const everything = withoutIdleTrouble(given.evidence, wanted);
  const permitted = profileIsPermitted(given, everything, wanted);
  const least: Evidence = {
    identity: wanted.identity ? everything.identity : nobody,
    consent: wanted.consent ? everything.consent : { ...everything.consent, stored: refused, linked: refused },
    profile: permitted ? everything.profile : refused,
    session: sessionIsPermitted(given, everything, wanted) ? everything.session : refused,
  };
  assert.deepEqual(decide({ ...given, question, evidence: least }).zones, decide({ ...given, question, evidence: everything }).zones);
}

const refused = { state: 'refused' } as const;
const nobody: Evidence['identity'] = {
  token: { state: 'none' },
  session: { state: 'none' },
  device: refused,
  generation: refused,
  tokenRevoked: refused,
};

/** Only what is asked for can be late or fail. */
function withoutIdleTrouble(evidence: Evidence, wanted: Needs): Evidence {
  const calm = <T>(fact: Fact<T>, asked: boolean): Fact<T> =>
    !asked && (fact.state === 'late' || fact.state === 'failed') ? refused : fact;
  const { token } = evidence.identity;
  const idleToken = !wanted.identity && (token.state === 'late' || token.state === 'failed');
  return {
    identity: {
      ...evidence.identity,
      token: idleToken ? { state: 'none' } : token,
      device: calm(evidence.identity.device, wanted.identity),
      generation: calm(evidence.identity.generation, wanted.identity),
      tokenRevoked: calm(evidence.identity.tokenRevoked, wanted.identity),
    },
    consent: {
      ...evidence.consent,
      stored: calm(evidence.consent.stored, wanted.consent),
      linked: calm(evidence.consent.linked, wanted.consent),
    },
    profile: calm(evidence.profile, wanted.profileKinds.length > 0),
    session: calm(evidence.session, wanted.sessionKinds.length > 0),
  };
}

/** The store touches a profile only for a person who is proved, and only for a kind whose consents are granted. */
function profileIsPermitted(given: Case, evidence: Evidence, wanted: Needs): boolean {
  // While it is late or has failed nobody knows whether it would have been permitted, so that stays.
  if (evidence.profile.state !== 'known' && evidence.profile.state !== 'absent') return true;
  const { identity, consent } = oracleDecide(given.document, { ...given.question, audience: 'personal', zones: [] }, evidence);
  const granted = {
    content: consent.content_personalization === 'granted' && consent.profile_activation_content === 'granted',
    offer: consent.offers === 'granted' && consent.profile_activation_offer === 'granted',
  };
  return identity.state === 'high_confidence' && wanted.profileKinds.some((kind) => granted[kind]);
}

/** The store touches a session only for a kind whose select use case is granted. */
function sessionIsPermitted(given: Case, evidence: Evidence, wanted: Needs): boolean {
  if (evidence.session.state !== 'known' && evidence.session.state !== 'absent') return true;
  const { consent } = oracleDecide(given.document, { ...given.question, audience: 'personal', zones: [] }, evidence);
  const granted = { content: consent.content_personalization === 'granted', offer: consent.offers === 'granted' };
  return wanted.sessionKinds.some((kind) => granted[kind]);
}

/** One non-private cache key, one answer: byte for byte. */
export function sameKeySameBytes(decide: Decide, one: Case, other: Case): number {
  const kept = new Map<string, string>();
  let met = 0;
  for (const zone of [...decide(one).zones, ...decide(other).zones]) {
    if (zone.cache.key === null) continue;
    const bytes = JSON.stringify(zone);
    const earlier = kept.get(zone.cache.key);
    if (earlier !== undefined) {
      met += 1;
      assert.equal(bytes, earlier, 'two answers share a cache key');
    }
    kept.set(zone.cache.key, bytes);
  }
  return met;
}

/** A shared answer is a function of its question. */
export function sharedIgnoresEvidence(decide: Decide, given: Case, evidence: Evidence): void {
  const question: Question = { ...given.question, audience: 'shared', explain: false };
  assert.equal(JSON.stringify(decide({ ...given, question, evidence })), JSON.stringify(decide({ ...given, question })));
}

/** At segment and below, who is asking and what is known of them changes no byte of what is shown. Answers how often it could look. */
export function belowSessionNothingPersonal(decide: Decide, given: Case, another: Evidence): number {
  let looked = 0;
  for (const zone of given.question.zones) {
    const question = { ...given.question, zones: [zone] };
    const one = onlyZone(decide({ ...given, question }));
    const other = onlyZone(decide({ ...given, question, evidence: another }));
    if (tierHeight(one.tier) > tierHeight('segment') || tierHeight(other.tier) > tierHeight('segment')) continue;
    looked += 1;
    const shown = ({ tier, variant, offer, content }: ZoneDecision) => JSON.stringify({ tier, variant, offer, content });
    if (one.render === 'suppress' || other.render === 'suppress') continue;
    assert.equal(shown(other), shown(one));
  }
  return looked;
}

/** Somebody else, of whom the same is proved and allowed: other values in every fact, the states all the same. */
export function anotherPerson(evidence: Evidence, values: { readonly profile: unknown; readonly session: unknown }): Evidence {
  const token = evidence.identity.token;
  const rename = (subject: string): string => `${subject}-of-another`;
  const device = evidence.identity.device;
  return {
    ...evidence,
    identity: {
      ...evidence.identity,
      token: token.state === 'verified' ? { ...token, subject: rename(token.subject) } : token,
      session: evidence.identity.session.state === 'verified' ? { state: 'verified', id: 'session-of-another' } : evidence.identity.session,
      device: device.state === 'known' ? { state: 'known', value: { ...device.value, subject: rename(device.value.subject) } } : device,
    },
    profile: evidence.profile.state === 'known' ? { state: 'known', value: values.profile as never } : evidence.profile,
    session: evidence.session.state === 'known' ? { state: 'known', value: values.session as never } : evidence.session,
  };
}

/** The order in which a document lists its offers decides nothing. */
export function offerOrderDecidesNothing(decide: Decide, given: Case, shuffled: PolicyDocument): void {
  assert.deepEqual(shownBy(decide({ ...given, document: shuffled })), shownBy(decide(given)));
}

/** Always a decision for every zone asked for, whatever the evidence is. */
export function alwaysDecides(decide: Decide, given: Case): Decision {
  const decision = decide(given);
  assert.deepEqual(
    decision.zones.map(({ zone }) => zone),
    given.question.zones,
  );
  for (const zone of decision.zones) {
    assert.ok(tiers.includes(zone.tier), `tier ${zone.tier}`);
    assert.ok(zone.render === 'suppress' || typeof zone.variant === 'string');
    assert.ok((zone.downgrade === null) === (zone.tier === zone.intendedTier));
  }
  return decision;
}

/** As above, and evidence that says nothing leaves only what needs no evidence. */
export function nothingKnownMeansAnonymous(decide: Decide, given: Case): void {
  const open = given.document.contextualWithoutSignal === true;
  for (const zone of alwaysDecides(decide, given).zones) {
    const highest = open ? tierHeight('segment') : tierHeight('anonymous');
    assert.ok(tierHeight(zone.tier) <= highest, `zone ${zone.zone} reached ${zone.tier} with nothing known`);
  }
}

function onlyZone(decision: Decision): ZoneDecision {
  const [zone] = decision.zones;
  assert.ok(zone !== undefined);
  return zone;
}

function shownBy(decision: Decision): unknown {
  return plainJson(
    decision.zones.map(({ cache: { key: _key, tags: _tags, ...cache }, explain: _explain, ...zone }) => ({ ...zone, cache })),
  );
}

/** All of it, except what the contract leaves to the implementation. */
function comparable(decision: Decision): unknown {
  return {
    ...decision,
    zones: decision.zones.map(({ explain, ...zone }) => ({
      ...zone,
      cache: { ...zone.cache, key: zone.cache.key === null ? null : 'filled', tags: zone.cache.tags.length > 0 ? ['filled'] : [] },
    })),
  };
}

function plainJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
