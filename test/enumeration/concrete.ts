/** Makes an abstract state concrete for the real core: the evidence of a state, and a policy whose zones are the abstract ones. */
import type { Artefact } from '../../src/decision/artefact.ts';
import type {
  ConsentSignal,
  Evidence,
  Fact,
  IdentityLink,
  Profile,
  Session,
  StoredConsent,
  TokenEvidence,
} from '../../src/decision/facts.ts';
import { absent, late, refused, tooShort } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { Tier } from '../../src/decision/vocabulary.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import {
  type AbstractRule,
  type AbstractZone,
  type Class,
  type DataFact,
  maxAgeDays,
  type RecordFact,
  type Request,
  type Says,
  type Settings,
  type State,
  type Token,
  type Trouble,
} from './state.ts';

const dayMs = 86_400_000;
/** Noon, so that half a day stands on either side. */
const nowMs = Date.UTC(2026, 10, 20, 12);
const today = Math.floor(nowMs / dayMs);
const nowSeconds = nowMs / 1000;

// ------------------------------------------------------------------------------------------------------------------- evidence

const facts = {
  refused,
  absent,
  late,
  too_short: tooShort,
  failed: { state: 'failed' },
  circuit_open: { state: 'failed', why: 'circuit_open' },
  overload: { state: 'failed', why: 'overload' },
} as const satisfies Record<Trouble | 'refused' | 'absent', Fact<never>>;

const subject = 'p-1';

export function evidenceOf(state: State): Evidence {
  const { token } = state;
  return {
    identity: {
      token: tokenOf(token),
      session: state.sessionId === 'verified' ? { state: 'verified', id: 's-1' } : { state: state.sessionId },
      device: deviceOf(state),
      generation: token.is === 'verified' ? generationOf(token.generation) : refused,
      tokenRevoked: token.is === 'verified' ? revokedOf(token.revoked) : refused,
    },
    consent: {
      signals: signalsOf(state.request),
      gpc: state.request.gpc,
      stored: recordOf(state.stored),
      linked: recordOf(state.linked),
      session: recordOf(state.ofSession),
    },
    profile: dataOf(state.profile, profiles),
    session: dataOf(state.session, sessions),
    audience: refused,
    model: refused,
  };
}

const ageSeconds = { now: 0, edge: 15 * 60, past: 15 * 60 + 1 } as const;

function tokenOf(token: Token): TokenEvidence {
  if (token.is === 'verified') {
    return {
      state: 'verified',
      subject,
      method: token.probabilistic ? 'probabilistic' : 'deterministic',
      expired: token.expired,
      issuedAtSeconds: nowSeconds - 120,
      authTimeSeconds: token.authenticated === 'never' ? null : nowSeconds - ageSeconds[token.authenticated],
      generation: token.generation === 'unsaid' ? null : 3,
      binding: token.binding,
    };
  }
  if (token.is === 'long_expired') return { state: 'expired' };
  if (token.is === 'overload') return { state: 'failed', why: 'overload' };
  return { state: token.is };
}

function generationOf(generation: Extract<Token, { is: 'verified' }>['generation']): Fact<number> {
  if (generation === 'current' || generation === 'unsaid') return { state: 'known', value: 3 };
  return generation === 'behind' ? { state: 'known', value: 4 } : facts[generation];
}

function revokedOf(revoked: Extract<Token, { is: 'verified' }>['revoked']): Fact<boolean> {
  return revoked === 'no' || revoked === 'yes' ? { state: 'known', value: revoked === 'yes' } : facts[revoked];
}

const link = (of: string): IdentityLink => ({ subject: of, method: 'deterministic', confidencePpm: 1_000_000 });
const links = {
  same: { state: 'known', value: link(subject) },
  taken_over: { state: 'known', value: { ...link(subject), sharedSinceMs: nowMs - 60_000 } },
  other: { state: 'known', value: link('p-2') },
} as const satisfies Record<string, Fact<IdentityLink>>;

function deviceOf({ device }: State): Fact<IdentityLink> {
  if (device === 'none') return refused;
  if (device === 'unlinked') return absent;
  return device === 'same' || device === 'taken_over' || device === 'other' ? links[device] : facts[device];
}

/** Content and offers are told the same, so that one state tries both kinds of zone. */
function useCasesOf(says: { readonly select: Says; readonly activation: Says }) {
  return {
    ...(says.select !== 'nothing' && { content_personalization: says.select, offers: says.select }),
    ...(says.activation !== 'nothing' && { profile_activation_content: says.activation, profile_activation_offer: says.activation }),
  };
}

function signalsOf(request: Request): readonly ConsentSignal[] {
  const signals: ConsentSignal[] = [];
  const { contextual, day, also } = request;
  const useCases = {
    ...useCasesOf(request),
    ...(contextual !== 'nothing' && { contextual_content: contextual, contextual_offer: contextual }),
  };
  if (Object.keys(useCases).length > 0) signals.push({ state: 'valid', useCases, ...(day !== null && { day: today + day }) });
  if (also === 'invalid') signals.push({ state: 'invalid' });
  if (also === 'child') signals.push({ state: 'valid', child: true, useCases: {} });
  if (also === 'sensitive_refused') signals.push({ state: 'valid', refusesSensitive: true, useCases: {} });
  if (also === 'activation_denied') signals.push({ state: 'valid', useCases: useCasesOf({ select: 'nothing', activation: 'denied' }) });
  return signals;
}

function recordOf(record: RecordFact): Fact<StoredConsent> {
  if (record.is !== 'known') return facts[record.is];
  return {
    state: 'known',
    value: {
      useCases: { ...useCasesOf(record), ...(record.category !== 'nothing' && { 'category:health': record.category }) },
      recordedAtMs: nowMs + record.day * dayMs,
      ...(record.grantedDay !== undefined && { grantedAtMs: nowMs + record.grantedDay * dayMs }),
    },
  };
}

type Known<T> = Readonly<Record<'matching' | 'other', Fact<T>>>;
const told = { ordinary: true, elevated: true, illness: true, debts: true, unlabelled: true };
const profiles: Known<Profile> = {
  matching: { state: 'known', value: { attributes: told, audiences: [] } },
  other: { state: 'known', value: { attributes: { ordinary: false }, audiences: [] } },
};
const sessions: Known<Session> = {
  matching: { state: 'known', value: { attributes: { ordinary: true } } },
  other: { state: 'known', value: { attributes: {} } },
};

function dataOf<T>(fact: DataFact, known: Known<T>): Fact<T> {
  return fact === 'matching' || fact === 'other' ? known[fact] : facts[fact];
}

// --------------------------------------------------------------------------------------------------------------------- policy

export function questionFor(zones: readonly AbstractZone[], settings: Settings): Question {
  return {
    nowMs,
    audience: 'personal',
    page: null,
    zones: zones.map(({ id }) => id),
    shownOffers: [],
    request: {},
    audiences: null,
    explain: false,
    ...(settings.onlyProved && { onlyProved: true }),
  };
}

/** Compiled from the document an author would write. */
export function policyOf(zones: readonly AbstractZone[], settings: Settings): Artefact {
  const text = JSON.stringify(documentOf(zones, settings));
  const { artefact, problems } = compilePolicy(text, { file: 'enumeration.json', nowMs });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

function documentOf(zones: readonly AbstractZone[], settings: Settings): object {
  const offers = Object.fromEntries(zones.flatMap(offersOf));
  return {
    stepwell: 1,
    policy: 'enumeration',
    attributes: {
      session: { ordinary: { type: 'bool', class: 'S1' } },
      profile: {
        ordinary: { type: 'bool', class: 'S1' },
        elevated: { type: 'bool', class: 'S2' },
        illness: { type: 'bool', class: 'S3', category: 'health' },
        debts: { type: 'bool', class: 'S3', category: 'finance' },
        unlabelled: { type: 'bool' },
      },
    },
    contextualWithoutSignal: settings.contextualWithoutSignal,
    consent: { maxAgeDays },
    sensitive: { S3: { enabled: true, categories: ['health'] } },
    dependencies: Object.fromEntries(Object.entries(settings.onFailure).map(([name, tier]) => [name, { onFailure: tier }])),
    zones: Object.fromEntries(zones.map((zone) => [zone.id, zoneOf(zone)])),
    variants: Object.fromEntries(ladderTiers.map((tier) => [`of-${tier}`, { content: tier }])),
    ...(Object.keys(offers).length > 0 && { offers }),
  };
}

const ladderTiers = ['user', 'session', 'segment', 'anonymous'] as const;
const climbing = ['user', 'session', 'segment'] as const;
type Climbing = (typeof climbing)[number];

function zoneOf({ id, kind, criticality, late: lateMode, class: zoneClass, by, rungs }: AbstractZone): object {
  const ladder = climbing.flatMap((tier): object[] => {
    const rules = rungs[tier];
    if (rules === undefined) return [];
    return [by === 'choose' ? { tier, choose: rules.map((rule) => ruleOf(tier, rule)) } : { tier, arbitrate: { tag: tagOf(id, tier) } }];
  });
  const approved = { by: 'Brand lead', on: '2026-11-01', until: '2027-11-01' };
  return {
    kind,
    criticality,
    late: lateMode,
    ...labelOf(zoneClass),
    ladder: [...ladder, { tier: 'anonymous', variant: 'of-anonymous', approved }],
  };
}

function tagOf(zone: string, tier: Tier): string {
  return `${zone}-${tier}`;
}

function offersOf(zone: AbstractZone): readonly (readonly [string, object])[] {
  if (zone.by === 'choose') return [];
  return climbing.flatMap((tier) =>
    (zone.rungs[tier] ?? []).map((rule, index) => {
      const offer = { tags: [tagOf(zone.id, tier)], ...ruleOf(tier, rule), propensityPpm: 1000, value: 10 };
      // An offer that says nothing is of class S3.
      return [
        `${tagOf(zone.id, tier)}-${index}`,
        { ...offer, ...labelOf(rule.class), ...(rule.class === 'S0' && { class: 'S0' }) },
      ] as const;
    }),
  );
}

/** What reads the profile has its class by what it reads; anything else declares it. */
function ruleOf(tier: Climbing, { reads, class: ruleClass }: AbstractRule): object {
  const variant = `of-${tier}`;
  if (reads === 'profile') return { when: `profile.${attributeOf[ruleClass]}`, variant };
  if (reads === 'session') return { when: 'session.ordinary', variant, ...(ruleClass !== 'S1' && labelOf(ruleClass)) };
  return { variant, ...labelOf(ruleClass) };
}

const attributeOf: Readonly<Record<Class, string>> = {
  S0: 'ordinary',
  S1: 'ordinary',
  S2: 'elevated',
  'S3:health': 'illness',
  'S3:finance': 'debts',
  'S3:none': 'unlabelled',
};

function labelOf(ofClass: Class): object {
  if (ofClass === 'S0') return {};
  if (ofClass === 'S1' || ofClass === 'S2') return { class: ofClass };
  return ofClass === 'S3:none' ? { class: 'S3' } : { class: 'S3', category: ofClass.slice('S3:'.length) };
}
