/**
 * What must be true of `decide`, each as a function of a `decide`, so that a planted fault can be put through the same check.
 * A check throws when it finds its claim broken, and says what it saw.
 */
import assert from 'node:assert/strict';
import type { Decision, ZoneDecision } from '../../src/decision/decision.ts';
import type { Evidence, Fact } from '../../src/decision/facts.ts';
import type { Needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { type Kind, tierHeight, tiers } from '../../src/decision/vocabulary.ts';
import type { Case } from '../generate/case.ts';
import type { PolicyDocument } from './document.ts';
import { kindsThatUse, oracleDecide, weighsUnreadAudiences } from './oracle.ts';

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

/** Less evidence never raises the tier of a zone that is asked alone, but for the one exception that the rules leave. */
export function lessNeverRaises(decide: Decide, given: Case, less: Evidence): void {
  for (const zone of given.question.zones) {
    const question = { ...given.question, zones: [zone] };
    const full = onlyZone(decide({ ...given, question }));
    const poor = onlyZone(decide({ ...given, question, evidence: less }));
    const wasWorthNothing = poor.tier === 'user' && full.downgrade?.reason === 'no_eligible_offer';
    if (wasWorthNothing && weighsUnreadAudiences(given.document, given.question, zone)) continue;
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
  const least: Evidence = {
    identity: wanted.identity ? everything.identity : nobody,
    consent: wanted.consent ? everything.consent : { ...everything.consent, stored: refused, linked: refused, session: refused },
    profile: activationIsPermitted(given, everything, everything.profile, wanted.profileKinds) ? everything.profile : refused,
    session: sessionIsPermitted(given, everything, wanted) ? everything.session : refused,
    audience: activationIsPermitted(given, everything, everything.audience, wanted.audienceKinds) ? everything.audience : refused,
    model: activationIsPermitted(given, everything, everything.model, wanted.modelKinds) ? everything.model : refused,
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

const isTroubled = (state: string): boolean => state === 'late' || state === 'failed';

/** Only what is asked for can be late or fail. */
function withoutIdleTrouble(evidence: Evidence, wanted: Needs): Evidence {
  const calm = <T>(fact: Fact<T>, asked: boolean): Fact<T> => (!asked && isTroubled(fact.state) ? refused : fact);
  const { token } = evidence.identity;
  // Whether a holder's proof is new is asked of the store too.
  const idleToken = !wanted.identity && (isTroubled(token.state) || (token.state === 'verified' && isTroubled(token.binding)));
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
      session: calm(evidence.consent.session ?? refused, wanted.consent),
    },
    profile: calm(evidence.profile, wanted.profileKinds.length > 0),
    session: calm(evidence.session, wanted.sessionKinds.length > 0),
    audience: calm(evidence.audience ?? refused, wanted.audienceKinds.length > 0),
    model: calm(evidence.model ?? refused, wanted.modelKinds.length > 0),
  };
}

/** A profile, a person's audiences and a model are asked for only of a proved person, and only for a kind whose consents are granted. */
function activationIsPermitted(given: Case, evidence: Evidence, fact: Fact<unknown>, kinds: readonly Kind[]): boolean {
  // While it is late or has failed nobody knows whether it would have been permitted, so that stays.
  if (fact.state !== 'known' && fact.state !== 'absent') return true;
  const { identity, consent } = oracleDecide(given.document, { ...given.question, audience: 'personal', zones: [] }, evidence);
  const granted = {
    content: consent.content_personalization === 'granted' && consent.profile_activation_content === 'granted',
    offer: consent.offers === 'granted' && consent.profile_activation_offer === 'granted',
  };
  return identity.state === 'high_confidence' && kinds.some((kind) => granted[kind]);
}

/** The store touches a session only for a kind whose select use case is granted. */
function sessionIsPermitted(given: Case, evidence: Evidence, wanted: Needs): boolean {
  if (evidence.session.state !== 'known' && evidence.session.state !== 'absent') return true;
  const { consent } = oracleDecide(given.document, { ...given.question, audience: 'personal', zones: [] }, evidence);
  const granted = { content: consent.content_personalization === 'granted', offer: consent.offers === 'granted' };
  return wanted.sessionKinds.some((kind) => granted[kind]);
}

/** Nothing is asked for that no rule of the zones can use. */
export function needsNothingIdle(ask: Ask, given: Case): void {
  const wanted = ask(given.document, given.question);
  const kinds = {
    profile: wanted.profileKinds,
    session: wanted.sessionKinds,
    audience: wanted.audienceKinds,
    model: wanted.modelKinds,
  } as const;
  for (const source of ['profile', 'session', 'audience', 'model'] as const) {
    const using = kindsThatUse(given.document, given.question, source);
    const idle = kinds[source].filter((kind) => !using.has(kind));
    assert.deepEqual(idle, [], `the ${source} is asked for, and no rule of such a zone can use it`);
  }
}

/** Who asks why gets the same answer, kept by nobody; and the reasons that it gives are those of the answer and of the evidence. */
export function explainsItsAnswer(decide: Decide, given: Case): number {
  const question: Question = { ...given.question, audience: 'personal' };
  const silent = decide({ ...given, question: { ...question, explain: false } });
  const explained = decide({ ...given, question: { ...question, explain: true } });
  assert.deepEqual(
    plainJson({ ...explained, zones: explained.zones.map(unexplained) }),
    plainJson({ ...silent, zones: silent.zones.map(unexplained) }),
  );
  const asked = (['audience', 'model'] as const).filter((name) => given.document.dependencies?.[name]?.source === 'http');
  for (const zone of explained.zones) {
    const { explain, cache, downgrade } = zone;
    assert.ok(explain !== undefined, `zone ${zone.zone} does not say why`);
    assert.equal(cache.scope, 'none');
    for (const name of ['profile', 'session', ...asked] as const)
      assert.equal(explain.facts[name], (given.evidence[name] ?? refused).state, name);
    const failed = explain.rungs.flatMap(({ tier, gate }) => (gate === null ? [] : [{ tier, reason: gate }]));
    assert.deepEqual(failed, downgrade?.steps ?? []);
    const chosen = explain.candidates.filter(({ lost }) => lost === null);
    const suppressed = zone.render === 'suppress';
    assert.deepEqual(
      chosen.map(({ tier, variant, offer }) => ({ tier, variant, offer })),
      [{ tier: zone.tier, variant: suppressed ? chosen[0]?.variant : zone.variant, offer: suppressed ? chosen[0]?.offer : zone.offer }],
    );
    for (const { offer, score } of explain.candidates) {
      if (offer === null || score === null) continue;
      assert.equal(score.propensityPpm, propensityAsSaid(given, offer), `the propensity of ${offer}`);
    }
  }
  return explained.zones.length;
}

function unexplained({ explain: _explain, cache: { degraded }, ...zone }: ZoneDecision): unknown {
  return { ...zone, degraded };
}

function propensityAsSaid({ document, evidence }: Case, id: string): number {
  const offer = document.offers[id];
  const model = evidence.model ?? refused;
  const ofModel = offer?.propensity === 'model' && model.state === 'known' && Object.hasOwn(model.value, id) ? model.value[id] : undefined;
  return ofModel ?? offer?.propensityPpm ?? 0;
}

/** Where the policy asks no audience service and no model, nothing that is said in their name changes anything. */
export function unaskedChangesNothing(decide: Decide, given: Case): number {
  const { dependencies } = given.document;
  const asks = (name: 'audience' | 'model'): boolean => dependencies?.[name]?.source === 'http';
  if (asks('audience') && asks('model')) return 0;
  const evidence: Evidence = {
    ...given.evidence,
    audience: asks('audience') ? given.evidence.audience : refused,
    model: asks('model') ? given.evidence.model : refused,
  };
  // What facts there were is told to whoever asks why.
  const question = { ...given.question, explain: false };
  assert.deepEqual(decide({ ...given, question }), decide({ ...given, question, evidence }));
  return 1;
}

/** The same facts, asked for in another way, decide the same. */
export function sameWhicheverWayAsked(decide: Decide, given: Case, otherwise: PolicyDocument): void {
  const question = { ...given.question, explain: false };
  assert.deepEqual(shownBy(decide({ ...given, question, document: otherwise })), shownBy(decide({ ...given, question })));
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
export function anotherPerson(evidence: Evidence, values: Readonly<Record<PersonalFact, unknown>>): Evidence {
  const token = evidence.identity.token;
  const rename = (subject: string): string => `${subject}-of-another`;
  const other = <T>(name: PersonalFact, fact: Fact<T>): Fact<T> =>
    fact?.state === 'known' ? { state: 'known', value: values[name] as T } : fact;
  const device = evidence.identity.device;
  return {
    ...evidence,
    identity: {
      ...evidence.identity,
      token: token.state === 'verified' ? { ...token, subject: rename(token.subject) } : token,
      session: evidence.identity.session.state === 'verified' ? { state: 'verified', id: 'session-of-another' } : evidence.identity.session,
      device: device.state === 'known' ? { state: 'known', value: { ...device.value, subject: rename(device.value.subject) } } : device,
    },
    profile: other('profile', evidence.profile),
    session: other('session', evidence.session),
    audience: other('audience', evidence.audience),
    model: other('model', evidence.model),
  };
}

type PersonalFact = 'profile' | 'session' | 'audience' | 'model';

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
