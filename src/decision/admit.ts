/**
 * The door of the core: whatever stands where evidence or a question should, `decide` gets the right shape. What is malformed
 * becomes the weakest state of its kind, so damage can only lower a tier.
 */
import {
  type ConsentEvidence,
  type ConsentSignal,
  type Evidence,
  type Fact,
  factStates,
  type IdentityEvidence,
  type IdentityLink,
  type Profile,
  type Propensities,
  refused,
  type Session,
  type SessionIdEvidence,
  type StoredConsent,
  type TokenEvidence,
} from './facts.ts';
import type { Question } from './question.ts';
import type { Attributes } from './value.ts';

export function admitEvidence(given: unknown): Evidence {
  const evidence = record(given);
  return {
    identity: admitIdentity(record(evidence?.identity)),
    consent: admitConsent(record(evidence?.consent)),
    profile: fact(evidence?.profile, isProfile),
    session: fact(evidence?.session, isSession),
    // Callers that know of no sources of their own leave these two out.
    audience: evidence?.audience === undefined ? refused : fact(evidence.audience, isAudiences),
    model: evidence?.model === undefined ? refused : fact(evidence.model, isPropensities),
  };
}

export function admitQuestion(given: Question): Question {
  const question: Partial<Record<keyof Question, unknown>> = record(given) ?? {};
  return {
    nowMs: Number.isSafeInteger(question.nowMs) ? (question.nowMs as number) : 0,
    audience: question.audience === 'personal' ? 'personal' : 'shared',
    page: typeof question.page === 'string' ? question.page : null,
    zones: strings(question.zones),
    shownOffers: strings(question.shownOffers),
    request: (record(question.request) as Attributes | undefined) ?? {},
    audiences: Array.isArray(question.audiences) ? strings(question.audiences) : null,
    explain: question.explain === true,
    ...(question.onlyProved === undefined ? {} : { onlyProved: true as const }),
    // A shared answer is a function of what its key names, and no key names a caller's word.
    ...(question.audience === 'personal' && typeof question.tieBreak === 'string' ? { tieBreak: question.tieBreak } : {}),
  };
}

type Json = Record<string, unknown>;

function record(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function strings(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.every((item) => typeof item === 'string') ? value : value.filter((item) => typeof item === 'string');
}

const damaged = { state: 'failed' } as const;

function fact<T>(given: unknown, isValue: (value: unknown) => value is T): Fact<T> {
  const state = record(given)?.state;
  if (!factStates.includes(state as Fact<T>['state'])) return damaged;
  return state !== 'known' || isValue((given as Json).value) ? (given as Fact<T>) : damaged;
}

function isProfile(value: unknown): value is Profile {
  const { attributes, audiences } = record(value) ?? {};
  return record(attributes) !== undefined && isAudiences(audiences);
}

function isSession(value: unknown): value is Session {
  return record(record(value)?.attributes) !== undefined;
}

function isAudiences(value: unknown): value is readonly string[] {
  return Array.isArray(value) && strings(value) === value;
}

function isPropensities(value: unknown): value is Propensities {
  const propensities = record(value);
  return propensities !== undefined && Object.values(propensities).every(isPpm);
}

function isPpm(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 1_000_000;
}

function isLink(value: unknown): value is IdentityLink {
  const link = record(value);
  return typeof link?.subject === 'string' && (link.sharedSinceMs === undefined || Number.isSafeInteger(link.sharedSinceMs));
}

function isStoredConsent(value: unknown): value is StoredConsent {
  const { useCases, recordedAtMs, grantedAtMs } = record(value) ?? {};
  const isTime = grantedAtMs === undefined || Number.isSafeInteger(grantedAtMs);
  return record(useCases) !== undefined && Number.isSafeInteger(recordedAtMs) && isTime;
}

function isGeneration(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function admitIdentity(given: Json | undefined): IdentityEvidence {
  return {
    token: admitToken(given?.token),
    session: admitSessionId(given?.session),
    device: fact(given?.device, isLink),
    generation: fact(given?.generation, isGeneration),
    tokenRevoked: fact(given?.tokenRevoked, isBoolean),
  };
}

function admitToken(given: unknown): TokenEvidence {
  const token = record(given);
  switch (token?.state) {
    case 'none':
    case 'invalid':
    case 'expired':
    case 'keys_stale':
    case 'late':
    case 'failed':
      return given as TokenEvidence;
    case 'verified':
      return isVerifiedToken(token) ? (given as TokenEvidence) : { state: 'invalid' };
    default:
      return { state: 'failed' };
  }
}

type Binding = Extract<TokenEvidence, { state: 'verified' }>['binding'];
const bindings: readonly Binding[] = ['none', 'proved', 'unproved', 'late', 'failed'];

function isVerifiedToken(token: Json): boolean {
  const isTime =
    (token.authTimeSeconds === null || Number.isSafeInteger(token.authTimeSeconds)) &&
    (token.issuedAtSeconds === undefined || Number.isSafeInteger(token.issuedAtSeconds));
  const isGenerationClaim = token.generation === null || Number.isSafeInteger(token.generation);
  return (
    typeof token.subject === 'string' &&
    typeof token.expired === 'boolean' &&
    bindings.includes(token.binding as Binding) &&
    isTime &&
    isGenerationClaim
  );
}

function admitSessionId(given: unknown): SessionIdEvidence {
  const session = record(given);
  if (session?.state === 'verified' && typeof session.id === 'string') return given as SessionIdEvidence;
  return { state: session?.state === 'none' ? 'none' : 'invalid' };
}

function admitConsent(given: Json | undefined): ConsentEvidence {
  const signals = given?.signals;
  return {
    signals: Array.isArray(signals) ? signals.map(admitSignal) : [{ state: 'invalid' }],
    gpc: given?.gpc !== false,
    stored: fact(given?.stored, isStoredConsent),
    linked: fact(given?.linked, isStoredConsent),
    ...(given?.session === undefined ? {} : { session: fact(given.session, isStoredConsent) }),
  };
}

function admitSignal(given: unknown): ConsentSignal {
  const signal = record(given);
  return signal?.state === 'valid' && record(signal.useCases) !== undefined ? (given as ConsentSignal) : { state: 'invalid' };
}
