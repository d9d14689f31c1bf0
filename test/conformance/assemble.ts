/** A case of the corpus, and the evidence and question that a faithful service would make of it. */
import type { ConsentSignal, Evidence, Fact, IdentityEvidence, StoredConsent } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { Attributes } from '../../src/decision/value.ts';
import type { PersonalUseCase, UseCase } from '../../src/decision/vocabulary.ts';
import type { PolicyDocument } from '../oracle/document.ts';

export interface ConformanceCase {
  readonly id: string;
  readonly why: string;
  readonly policy: string;
  readonly at: string;
  readonly store: {
    readonly profiles?: Readonly<
      Record<string, { readonly attributes: Readonly<Record<string, unknown>>; readonly audiences?: readonly string[] }>
    >;
    readonly consents?: Readonly<Record<string, { readonly useCases: StoredConsent['useCases']; readonly recordedAt: string }>>;
    readonly devices?: Readonly<
      Record<string, { readonly subject: string; readonly method: 'deterministic' | 'probabilistic'; readonly confidencePpm: number }>
    >;
    readonly sessions?: Readonly<Record<string, { readonly attributes: Readonly<Record<string, unknown>> }>>;
    /** What was withdrawn in a session of the store. */
    readonly withdrawn?: Readonly<Record<string, readonly PersonalUseCase[]>>;
    readonly generations?: Readonly<Record<string, number>>;
    readonly revokedTokens?: readonly string[];
    /** Subjects, erased after everything else was written. */
    readonly erased?: readonly string[];
  };
  /** What each service says of a subject; it answers 404 for anybody else. */
  readonly services?: {
    readonly audiences?: Readonly<Record<string, readonly string[]>>;
    readonly scores?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  };
  /** A dependency that does not answer in time, or fails; a service may also not be asked at all, for one of the reasons there are. */
  readonly trouble: Readonly<
    Partial<Record<'identity' | 'consent' | 'profile' | 'session', 'late' | 'failed'>> &
      Partial<Record<'audience' | 'model', keyof typeof sourceTroubles>>
  >;
  readonly credentials: {
    readonly token?: {
      readonly is: 'good' | 'malformed' | 'expired' | 'expired long ago';
      readonly sub: string;
      readonly jti?: string;
      readonly idm?: 'deterministic' | 'probabilistic';
      readonly gen?: number;
      readonly authenticatedSecondsAgo?: number;
      readonly holder?: 'proved' | 'unproved';
    };
    /** A session of the store by its name, or one whose signature does not verify. */
    readonly session?: { readonly is: 'good' | 'bad signature'; readonly name: string };
  };
  readonly request:
    | { readonly method: 'POST'; readonly gpc: boolean; readonly child: boolean; readonly body: Body }
    | { readonly method: 'GET'; readonly query: string };
  readonly expected: Readonly<Record<string, unknown>>;
}

const sourceTroubles = {
  late: { state: 'late' },
  failed: { state: 'failed' },
  deadline_too_short: { state: 'late', why: 'deadline_too_short' },
  circuit_open: { state: 'failed', why: 'circuit_open' },
  overload: { state: 'failed', why: 'overload' },
} as const satisfies Record<string, Fact<never>>;

interface Body {
  readonly page?: string;
  readonly zones?: readonly string[];
  readonly identity?: { readonly deviceId?: string };
  readonly consent?: {
    readonly tcf?: string;
    readonly useCases?: Readonly<Partial<Record<UseCase, 'granted' | 'denied' | 'unavailable'>>>;
  };
  readonly context?: Readonly<Record<string, unknown>> & { readonly audiences?: readonly string[] };
  readonly explain?: boolean;
}

export function assembled(given: ConformanceCase, document: PolicyDocument): { readonly question: Question; readonly evidence: Evidence } {
  const nowMs = Date.parse(given.at);
  if (given.request.method === 'GET') return { question: sharedQuestion(given.request.query, document, nowMs), evidence: nothing };
  const { body } = given.request;
  const { audiences, ...request } = body.context ?? {};
  return {
    question: {
      nowMs,
      audience: 'personal',
      page: body.page ?? null,
      zones: body.zones ?? zonesOf(document, body.page),
      shownOffers: [],
      request: inside(request, document.attributes.request),
      audiences: audiences ?? null,
      explain: body.explain ?? false,
    },
    evidence: evidenceOf(given, document, nowMs, body),
  };
}

function sharedQuestion(query: string, document: PolicyDocument, nowMs: number): Question {
  const { page, zones, audiences, ...request } = Object.fromEntries(new URLSearchParams(query));
  return {
    nowMs,
    audience: 'shared',
    page: page ?? null,
    zones: zones === undefined ? zonesOf(document, page) : zones.split(','),
    shownOffers: [],
    request: inside(request, document.attributes.request),
    audiences: audiences === undefined ? null : audiences.split(','),
    explain: false,
  };
}

function zonesOf(document: PolicyDocument, page: string | undefined): readonly string[] {
  return page === undefined ? [] : (document.pages[page]?.zones ?? []);
}

const refused = { state: 'refused' } as const;
const nothing: Evidence = {
  identity: { token: { state: 'none' }, session: { state: 'none' }, device: refused, generation: refused, tokenRevoked: refused },
  consent: { signals: [], gpc: false, stored: refused, linked: refused, session: refused },
  profile: refused,
  session: refused,
  audience: refused,
  model: refused,
};

function evidenceOf(given: ConformanceCase, document: PolicyDocument, nowMs: number, body: Body): Evidence {
  const { store, credentials, trouble } = given;
  if (!asksForMoreThanAnonymous(document, body)) return { ...nothing, consent: { ...nothing.consent, ...saidBy(given, body) } };
  const token = tokenOf(credentials.token, nowMs);
  const verified = token.state === 'verified' ? token : null;
  const deviceId = body.identity?.deviceId;
  const answered = <T>(dependency: keyof typeof trouble, value: T | undefined): Fact<T> => {
    const inTrouble = trouble[dependency];
    if (inTrouble !== undefined) return sourceTroubles[inTrouble];
    return value === undefined ? { state: 'absent' } : { state: 'known', value };
  };
  const device: IdentityEvidence['device'] = deviceId === undefined ? refused : answered('identity', store.devices?.[deviceId]);
  const linkedSubject = device.state === 'known' && device.value.subject !== verified?.subject ? device.value.subject : null;
  const isErased = (subject: string): boolean => store.erased?.includes(subject) === true;
  const consentOf = (subject: string): Fact<StoredConsent> => {
    const record = isErased(subject) ? undefined : store.consents?.[subject];
    return answered(
      'consent',
      record === undefined ? undefined : { useCases: record.useCases, recordedAtMs: Date.parse(record.recordedAt) },
    );
  };
  const session = sessionOf(credentials.session);
  const withdrawnIn = (name: string): StoredConsent | undefined => {
    const useCases = store.withdrawn?.[name];
    if (useCases === undefined) return undefined;
    return { useCases: Object.fromEntries(useCases.map((useCase) => [useCase, 'denied'])), recordedAtMs: nowMs };
  };
  const sessionRecord = credentials.session === undefined ? undefined : store.sessions?.[credentials.session.name];
  const person = verified === null || isErased(verified.subject) ? null : verified.subject;
  const profile = person === null ? undefined : store.profiles?.[person];
  const said = <T>(dependency: 'audience' | 'model', bySubject: Readonly<Record<string, T>> | undefined): Fact<T> => {
    if (verified === null || document.dependencies?.[dependency]?.source !== 'http') return refused;
    // Nobody is asked about a person who is erased, so nobody can be late with it.
    return person === null ? { state: 'absent' } : answered(dependency, bySubject?.[person]);
  };
  return {
    identity: {
      token,
      session,
      device,
      generation: verified === null ? refused : answered('identity', store.generations?.[verified.subject] ?? 0),
      tokenRevoked:
        verified === null ? refused : answered('identity', store.revokedTokens?.includes(credentials.token?.jti ?? '') ?? false),
    },
    consent: {
      ...saidBy(given, body),
      stored: verified === null ? refused : consentOf(verified.subject),
      linked: linkedSubject === null ? refused : consentOf(linkedSubject),
      session: session.state !== 'verified' ? refused : answered('consent', withdrawnIn(session.id)),
    },
    profile:
      verified === null
        ? refused
        : answered(
            'profile',
            profile === undefined
              ? undefined
              : { attributes: inside(profile.attributes, document.attributes.profile), audiences: profile.audiences ?? [] },
          ),
    session:
      session.state !== 'verified'
        ? refused
        : answered(
            'session',
            sessionRecord === undefined ? undefined : { attributes: inside(sessionRecord.attributes, document.attributes.session) },
          ),
    audience: said('audience', given.services?.audiences),
    model: said('model', given.services?.scores),
  };
}

/** Nothing is read that no rule of the zones asked for can use. */
function asksForMoreThanAnonymous(document: PolicyDocument, body: Body): boolean {
  return (body.zones ?? zonesOf(document, body.page)).some((id) => (document.zones[id]?.ladder.length ?? 0) > 1);
}

/** What the request itself says about consent. */
function saidBy({ request }: ConformanceCase, body: Body): Pick<Evidence['consent'], 'signals' | 'gpc'> {
  if (request.method === 'GET') return { signals: [], gpc: false };
  return { signals: signalsOf(request.child, body), gpc: request.gpc };
}

function tokenOf(token: ConformanceCase['credentials']['token'], nowMs: number): IdentityEvidence['token'] {
  if (token === undefined) return { state: 'none' };
  if (token.is === 'malformed') return { state: 'invalid' };
  if (token.is === 'expired long ago') return { state: 'expired' };
  const ago = token.authenticatedSecondsAgo;
  return {
    state: 'verified',
    subject: token.sub,
    method: token.idm ?? 'deterministic',
    expired: token.is === 'expired',
    authTimeSeconds: ago === undefined ? null : nowMs / 1000 - ago,
    generation: token.gen ?? null,
    binding: token.holder ?? 'none',
  };
}

function sessionOf(session: ConformanceCase['credentials']['session']): IdentityEvidence['session'] {
  if (session === undefined) return { state: 'none' };
  return session.is === 'good' ? { state: 'verified', id: session.name } : { state: 'invalid' };
}

function signalsOf(child: boolean, body: Body): readonly ConsentSignal[] {
  const signals: ConsentSignal[] = [];
  if (child) signals.push({ state: 'valid', child: true, useCases: {} });
  // Every TC string of the corpus is malformed on purpose.
  if (body.consent?.tcf !== undefined) signals.push({ state: 'invalid' });
  const said = Object.entries(body.consent?.useCases ?? {}).filter(([, state]) => state !== 'unavailable');
  if (said.length > 0)
    signals.push({ state: 'valid', useCases: Object.fromEntries(said) as Partial<Record<UseCase, 'granted' | 'denied'>> });
  return signals;
}

/** On the wire a timestamp is a text; inside facts it is milliseconds. */
function inside(attributes: Readonly<Record<string, unknown>>, declared: PolicyDocument['attributes']['request']): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, declared[name]?.type === 'timestamp' ? Date.parse(String(value)) : value]),
  ) as Attributes;
}
