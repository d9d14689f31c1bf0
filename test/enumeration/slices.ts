/**
 * The state space, as five products. `whole` crosses every gate's inputs in the values that differ at a gate; the others take one
 * corner each and spell it out: every token, every date of a record, every class, every dependency's cap, every kind of trouble.
 */
import type { Slice } from './enumerate.ts';
import { type Factors, productOf } from './product.ts';
import {
  type AbstractRule,
  type AbstractZone,
  type Class,
  cappedDependencies,
  type DataFact,
  type Device,
  type KnownRecord,
  type RecordFact,
  type Request,
  type Says,
  type Settings,
  type State,
  type Token,
  troubles,
} from './state.ts';

// ---------------------------------------------------------------------------------------------------------------------- parts

type Verified = Extract<Token, { is: 'verified' }>;
const proved: Verified = {
  is: 'verified',
  probabilistic: false,
  expired: false,
  binding: 'proved',
  authenticated: 'now',
  generation: 'current',
  revoked: 'no',
};
const unverified = (['none', 'invalid', 'long_expired', 'keys_stale', 'late', 'failed', 'overload'] as const).map((is) => ({ is }));
const saysAll = ['granted', 'denied', 'nothing'] as const satisfies readonly Says[];

const product = <T extends object>(factors: Factors<T>): readonly T[] => {
  const all = productOf(factors);
  return Array.from({ length: all.size }, (_, index) => all.at(index));
};

const record = (select: Says, activation: Says, day = -10, category: Says = 'nothing'): RecordFact => ({
  is: 'known',
  select,
  activation,
  category,
  day,
});
const bare = (is: 'refused' | 'absent' | 'late' | 'failed'): RecordFact => ({ is });
const request = (says: Partial<Request>): Request => ({
  select: 'nothing',
  activation: 'nothing',
  contextual: 'nothing',
  day: null,
  also: 'nothing',
  gpc: false,
  ...says,
});

/** A device and the record behind it: the token's person's own record, or another's. */
type LinkedTo = { readonly device: Device; readonly linked: RecordFact | 'as stored' };
type InSession = Pick<State, 'sessionId' | 'ofSession' | 'session'>;

const noSession: readonly InSession[] = (['none', 'invalid'] as const).map((sessionId) => ({
  sessionId,
  ofSession: bare('refused'),
  session: 'refused',
}));
const aSession: InSession = { sessionId: 'verified', ofSession: bare('absent'), session: 'matching' };

interface Parts {
  token: Token;
  linkedTo: LinkedTo;
  inSession: InSession;
  request: Request;
  stored: RecordFact;
  profile: DataFact;
}

function stateOf({ token, linkedTo, inSession, request: said, stored, profile }: Parts): State {
  // Nobody's record is read where no token names a person.
  const own: RecordFact = token.is === 'verified' ? stored : bare('refused');
  return {
    token,
    device: linkedTo.device,
    sessionId: inSession.sessionId,
    request: said,
    stored: own,
    linked: linkedTo.linked === 'as stored' ? stored : linkedTo.linked,
    ofSession: inSession.ofSession,
    profile,
    session: inSession.session,
  };
}

const notLinked: LinkedTo = { device: 'none', linked: bare('refused') };
const linkedToSame: LinkedTo = { device: 'same', linked: 'as stored' };
const linkedToOther = (linked: RecordFact): LinkedTo => ({ device: 'other', linked });
const lostLinks: readonly LinkedTo[] = troubles.map((device) => ({ device, linked: bare('refused') }));

interface Places {
  readonly zones: readonly AbstractZone[];
  readonly settings: readonly Settings[];
}

function sliceOf(name: string, factors: Factors<Parts>, places: Places): Slice {
  const { size, counts, at } = productOf(factors);
  return { name, size, counts, ...places, at: (index) => stateOf(at(index)) };
}

// ---------------------------------------------------------------------------------------------------------------------- zones

const kinds = ['content', 'offer'] as const;
const ordinary: AbstractRule = { class: 'S1', reads: 'nothing' };
const ofProfile: AbstractRule = { class: 'S1', reads: 'profile' };
const ofSession: AbstractRule = { class: 'S1', reads: 'session' };
const ofAnybody: AbstractRule = { class: 'S0', reads: 'nothing' };
const sensitive = (ofClass: Class, reads: 'nothing' | 'profile' = 'profile'): AbstractRule => ({ class: ofClass, reads });

type Plan = Partial<Omit<AbstractZone, 'id' | 'kind' | 'criticality'>>;

function zonesOf(plans: readonly Plan[]): readonly AbstractZone[] {
  const whole = { class: 'S0', late: 'fallback', by: 'choose', rungs: {} } as const;
  return plans.flatMap((plan, index) => kinds.map((kind) => ({ ...whole, ...plan, kind, id: `${kind}-${index}`, criticality: index % 3 })));
}

const fullLadder = { user: [ofProfile], session: [ofSession], segment: [ofAnybody] };
const plainZones = zonesOf([
  { rungs: fullLadder },
  { rungs: { user: [ordinary], session: [ordinary], segment: [ordinary] }, late: 'defer' },
  { rungs: { user: [sensitive('S2'), sensitive('S3:health'), ofProfile], segment: [ofAnybody] }, by: 'arbitrate' },
  { rungs: { user: [sensitive('S2')], session: [ordinary] }, class: 'S2', late: 'suppress' },
  { rungs: {} },
]);

/** Every class of zone over every class of rule on each rung, chosen and arbitrated. */
const allClasses = ['S0', 'S1', 'S2', 'S3:health', 'S3:finance', 'S3:none'] as const;
const classedZones = zonesOf(
  product<{ class: Class; user: readonly AbstractRule[]; below: readonly AbstractRule[]; by: 'choose' | 'arbitrate' }>({
    class: allClasses,
    user: [
      ...allClasses.slice(1).map((ofClass) => [sensitive(ofClass)]),
      ...allClasses.map((ofClass) => [sensitive(ofClass, 'nothing')]),
      [sensitive('S3:health'), sensitive('S2'), ofProfile],
      [sensitive('S3:finance'), ordinary],
    ],
    below: [[ofAnybody], [ordinary], [sensitive('S2', 'nothing')]],
    by: ['choose', 'arbitrate'],
  }).map(({ class: ofZone, user, below, by }) => ({ class: ofZone, by, rungs: { user, session: below, segment: below } })),
);

const unhelped: Settings = { contextualWithoutSignal: false, onlyProved: false, onFailure: {} };
const contextual: Settings = { ...unhelped, contextualWithoutSignal: true };
const publishable: Settings = { ...contextual, onlyProved: true };

// --------------------------------------------------------------------------------------------------------------------- slices

const tokensAtTheGates: readonly Token[] = [
  ...unverified,
  proved,
  { ...proved, binding: 'none' },
  { ...proved, binding: 'unproved' },
  { ...proved, authenticated: 'past' },
  { ...proved, probabilistic: true },
  { ...proved, expired: true },
  { ...proved, generation: 'behind' },
  { ...proved, generation: 'late' },
  { ...proved, revoked: 'yes' },
  { ...proved, revoked: 'failed' },
];
const recordsAtTheGates: readonly RecordFact[] = [
  bare('refused'),
  bare('absent'),
  bare('late'),
  bare('failed'),
  ...product<{ select: Says; activation: Says }>({ select: saysAll, activation: saysAll }).map((says) =>
    record(says.select, says.activation),
  ),
];
const otherRecords = [
  bare('absent'),
  bare('late'),
  bare('failed'),
  record('granted', 'granted'),
  record('denied', 'nothing'),
  record('nothing', 'denied'),
];
const sessionFacts: readonly DataFact[] = ['matching', 'other', 'absent', 'late', 'failed'];
const sessionsAtTheGates: readonly InSession[] = [
  ...noSession,
  ...product<Pick<InSession, 'session' | 'ofSession'>>({
    session: sessionFacts,
    ofSession: [bare('absent'), bare('late'), record('denied', 'nothing'), record('nothing', 'denied')],
  }).map((facts): InSession => ({ sessionId: 'verified', ...facts })),
];
const requestsAtTheGates = product<Request>({
  select: saysAll,
  activation: saysAll,
  contextual: saysAll,
  day: [null],
  also: ['nothing', 'invalid', 'child'],
  gpc: [false, true],
});

const whole = sliceOf(
  'whole',
  {
    request: requestsAtTheGates,
    token: tokensAtTheGates,
    stored: recordsAtTheGates,
    profile: ['matching', 'other', 'absent', 'late', 'failed'],
    inSession: sessionsAtTheGates,
    linkedTo: [
      notLinked,
      { device: 'unlinked', linked: bare('refused') },
      { device: 'late', linked: bare('refused') },
      { device: 'failed', linked: bare('refused') },
      linkedToSame,
      ...otherRecords.map(linkedToOther),
    ],
  },
  { zones: plainZones, settings: [unhelped, contextual] },
);

const everyToken = sliceOf(
  'every token',
  {
    token: [
      ...unverified,
      ...product<Verified>({
        is: ['verified'],
        probabilistic: [false, true],
        expired: [false, true],
        binding: ['none', 'proved', 'unproved', 'late', 'failed'],
        authenticated: ['never', 'now', 'edge', 'past'],
        generation: ['current', 'behind', 'unsaid', 'late', 'failed'],
        revoked: ['no', 'yes', 'late', 'failed'],
      }),
    ],
    linkedTo: [
      notLinked,
      { device: 'unlinked', linked: bare('refused') },
      linkedToSame,
      { device: 'taken_over', linked: 'as stored' },
      linkedToOther(bare('absent')),
      linkedToOther(record('nothing', 'denied')),
      ...lostLinks,
    ],
    inSession: [...noSession, aSession],
    request: [request({}), request({ select: 'granted', activation: 'granted' }), request({ select: 'granted', gpc: true })],
    stored: [bare('absent'), bare('late'), record('granted', 'granted', -10, 'granted'), record('denied', 'nothing')],
    profile: ['matching', 'absent'],
  },
  { zones: plainZones, settings: [unhelped] },
);

/** A key that anybody can read out of a web page is the caller's. */
const everyCaller = sliceOf(
  'every caller',
  {
    token: tokensAtTheGates,
    linkedTo: [notLinked, linkedToSame, linkedToOther(bare('absent')), ...lostLinks],
    inSession: sessionsAtTheGates,
    request: product<Request>({
      select: saysAll,
      activation: saysAll,
      contextual: ['nothing', 'denied'],
      day: [null],
      also: ['nothing', 'invalid'],
      gpc: [false, true],
    }),
    stored: [bare('absent'), bare('late'), record('granted', 'granted'), record('denied', 'nothing')],
    profile: ['matching', 'absent'],
  },
  { zones: plainZones, settings: [publishable, { ...publishable, contextualWithoutSignal: false }] },
);

const daysOfRecords = [-(maxDay() + 1), -maxDay(), -10, 0, 1] as const;
function maxDay(): number {
  return 180;
}

const everyDate = sliceOf(
  'every date',
  {
    token: [{ is: 'none' }, proved, { ...proved, expired: true }, { ...proved, revoked: 'late' }, { ...proved, revoked: 'yes' }],
    stored: [
      bare('absent'),
      ...product<{ select: Says; activation: Says; day: number; category: Says }>({
        select: saysAll,
        activation: saysAll,
        day: daysOfRecords,
        category: saysAll,
      }).map((one) => record(one.select, one.activation, one.day, one.category)),
      // One thing was taken back later than the others were granted.
      ...product<Pick<KnownRecord, 'select' | 'activation' | 'grantedDay'>>({
        select: saysAll,
        activation: saysAll,
        grantedDay: [-181, -180, -11, 1],
      }).map((one): RecordFact => ({ is: 'known', day: -10, category: 'granted', ...one })),
    ],
    request: product<Request>({
      select: saysAll,
      activation: saysAll,
      contextual: ['nothing'],
      day: [null, -11, -10, -9, 0, 1],
      also: ['nothing', 'invalid', 'activation_denied'],
      gpc: [false],
    }),
    linkedTo: [
      notLinked,
      linkedToSame,
      ...daysOfRecords.flatMap((day) => [linkedToOther(record('denied', 'granted', day)), linkedToOther(record('granted', 'denied', day))]),
    ],
    inSession: [
      ...noSession.slice(0, 1),
      aSession,
      ...daysOfRecords.map((day) => ({ ...aSession, ofSession: record('denied', 'granted', day, 'denied') })),
    ],
    profile: ['matching'],
  },
  { zones: plainZones, settings: [unhelped] },
);

const everyClass = sliceOf(
  'every class',
  {
    token: [
      { is: 'none' },
      { ...proved, expired: true },
      ...product<Verified>({
        ...forEach(proved),
        binding: ['none', 'proved'],
        authenticated: ['never', 'now', 'edge', 'past'],
      }),
    ],
    stored: [
      bare('absent'),
      ...product<{ day: number; category: Says }>({ day: [-181, -180, 0, 1], category: saysAll }).map(({ day, category }) =>
        record('nothing', 'nothing', day, category),
      ),
    ],
    request: [
      request({}),
      request({ select: 'granted' }),
      request({ select: 'granted', activation: 'granted' }),
      request({ select: 'granted', activation: 'granted', gpc: true }),
      request({ contextual: 'granted' }),
      request({ select: 'granted', activation: 'granted', also: 'sensitive_refused' }),
    ],
    linkedTo: [notLinked, linkedToSame],
    inSession: [...noSession, aSession, { ...aSession, ofSession: record('nothing', 'nothing', -1, 'denied') }],
    profile: ['matching', 'other', 'late'],
  },
  { zones: classedZones, settings: [contextual] },
);

function forEach<T extends object>(one: T): Factors<T> {
  return Object.fromEntries(Object.entries(one).map(([name, value]) => [name, [value]])) as unknown as Factors<T>;
}

const allTiers = ['user', 'session', 'segment', 'anonymous'] as const;
const caps: readonly Settings[] = [
  unhelped,
  ...cappedDependencies.flatMap((dependency) => allTiers.map((tier) => ({ ...contextual, onFailure: { [dependency]: tier } }))),
  { ...contextual, onFailure: { identity: 'session', profile: 'segment' } },
  { ...contextual, onFailure: { consent: 'anonymous', session: 'segment', identity: 'segment' } },
];

const everyTrouble = sliceOf(
  'every trouble',
  {
    token: [
      ...unverified,
      proved,
      ...troubles.flatMap((trouble) => [
        { ...proved, generation: trouble },
        { ...proved, revoked: trouble },
      ]),
      { ...proved, binding: 'late' },
      { ...proved, binding: 'failed' },
      { ...proved, revoked: 'yes' },
    ],
    stored: [bare('absent'), ...troubles.map((is) => ({ is }))],
    linkedTo: [notLinked, ...lostLinks, ...troubles.map((is) => linkedToOther({ is }))],
    inSession: [
      ...noSession.slice(0, 1),
      aSession,
      ...troubles.map((session): InSession => ({ ...aSession, session })),
      ...troubles.map((is) => ({ ...aSession, ofSession: { is } })),
    ],
    request: [request({}), request({ select: 'granted', activation: 'granted' }), request({ contextual: 'granted', select: 'denied' })],
    profile: ['matching', ...troubles],
  },
  { zones: plainZones, settings: caps },
);

/** The largest last. */
export const slices = { everyClass, everyTrouble, everyToken, everyCaller, everyDate, whole } as const;
