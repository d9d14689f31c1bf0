/**
 * Who asks while things break, and the most that each of them may ever be shown. Written from the contract and not from the code:
 * every person has a marker of their own that only their own user tier can show, so an answer that belongs to somebody else, or
 * that is more than evidence and consent allow, is seen in the answer itself.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { generateIssuerKeys, type IssuerKeys, mintToken } from '../../src/identity/mint.ts';

export const tiers = ['anonymous', 'segment', 'session', 'user'] as const;
export type Tier = (typeof tiers)[number];
export const zoneNames = ['greeting', 'rail', 'footer'] as const;
export type ZoneName = (typeof zoneNames)[number];

/** One way of being somebody, and the highest tier it may bring each zone to. `rail` is of kind offer, the others of kind content. */
interface Group {
  readonly name: string;
  readonly people: number;
  /** Of ten requests or so, how many are theirs. */
  readonly weight: number;
  readonly token?: 'good' | 'expired' | 'forged' | 'unknown key';
  readonly hasSession?: true;
  readonly device?: 'own' | "another's";
  /** What is stored of their consent: everything granted, everything denied, or content granted and offers denied. */
  readonly stored?: 'granted' | 'denied' | 'content only';
  readonly asked?: object;
  readonly isRevoked?: true;
  readonly gpc?: true;
  /** Changes their mind again and again: what is allowed is worked out from what was acknowledged. */
  readonly isFickle?: true;
  readonly highest: Readonly<Record<ZoneName, Tier>>;
}

const useCases = [
  'content_personalization',
  'offers',
  'profile_activation_content',
  'profile_activation_offer',
  'analytics_content',
  'analytics_offer',
] as const;
export const everything = (state: 'granted' | 'denied') => Object.fromEntries(useCases.map((useCase) => [useCase, state]));
const contentOnly = {
  ...everything('granted'),
  offers: 'denied',
  profile_activation_offer: 'denied',
};

const all = (tier: Tier): Group['highest'] => ({ greeting: tier, rail: tier, footer: tier });
const land = all('segment');

const groups: readonly Group[] = [
  { name: 'known, stored grant', people: 8, weight: 8, token: 'good', stored: 'granted', highest: all('user') },
  { name: 'known, grant in the request', people: 4, weight: 2, token: 'good', asked: everything('granted'), highest: all('user') },
  { name: 'known, with a session', people: 4, weight: 2, token: 'good', stored: 'granted', hasSession: true, highest: all('user') },
  {
    name: 'known, on their own device',
    people: 4,
    weight: 1,
    token: 'good',
    stored: 'granted',
    device: 'own',
    highest: all('user'),
  },
  {
    name: 'known, content only',
    people: 4,
    weight: 1,
    token: 'good',
    stored: 'content only',
    highest: { greeting: 'user', rail: 'segment', footer: 'user' },
  },
  { name: 'known, stored denial', people: 4, weight: 2, token: 'good', stored: 'denied', highest: land },
  {
    name: 'known, stored denial against a grant in the request',
    people: 4,
    weight: 1,
    token: 'good',
    stored: 'denied',
    asked: everything('granted'),
    highest: land,
  },
  {
    name: 'known, denial in the request',
    people: 4,
    weight: 1,
    token: 'good',
    stored: 'granted',
    asked: { content_personalization: 'denied', offers: 'denied' },
    highest: land,
  },
  { name: 'known, nothing said', people: 4, weight: 1, token: 'good', highest: land },
  {
    name: 'known, with Sec-GPC and a session',
    people: 4,
    weight: 1,
    token: 'good',
    stored: 'granted',
    hasSession: true,
    gpc: true,
    highest: { greeting: 'session', rail: 'segment', footer: 'segment' },
  },
  { name: 'known, revoked', people: 4, weight: 1, token: 'good', stored: 'granted', isRevoked: true, highest: land },
  { name: 'known, fickle', people: 4, weight: 2, token: 'good', stored: 'granted', isFickle: true, highest: all('user') },
  { name: 'token and device of two people', people: 4, weight: 1, token: 'good', stored: 'granted', device: "another's", highest: land },
  { name: 'expired token', people: 4, weight: 1, token: 'expired', stored: 'granted', highest: land },
  { name: 'forged token', people: 4, weight: 1, token: 'forged', stored: 'granted', highest: land },
  { name: 'device only', people: 4, weight: 1, stored: 'granted', device: 'own', highest: land },
  {
    name: 'a session only',
    people: 4,
    weight: 1,
    hasSession: true,
    asked: everything('granted'),
    highest: { greeting: 'session', rail: 'segment', footer: 'segment' },
  },
  { name: 'nobody', people: 6, weight: 3, highest: land },
];

/** As asked for when a fault is about them: not among the usual callers. */
export const strangers: readonly Group[] = [
  { name: 'token of an unknown key', people: 40, weight: 1, token: 'unknown key', stored: 'granted', highest: land },
];

/** Somebody with everything that is needed to ask and to judge the answer. */
export interface Person {
  readonly group: string;
  readonly weight: number;
  readonly marker: string;
  readonly subject: string;
  readonly country: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Without the deadline. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly isFickle: boolean;
  readonly highest: Readonly<Record<ZoneName, Tier>>;
}

const countries = ['DE', 'FR', 'NL'] as const;
/** For these the policy has something; for `NL` it has not. */
const landsWithContent: readonly string[] = ['DE', 'FR'];

const approved = { by: 'Faults', on: '2026-01-01', until: '2099-01-01' };
const markersMax = 80;
const markers = Array.from({ length: markersMax }, (_, index) => `m${String(index).padStart(2, '0')}`);

/** `edition` goes into the anonymous content, so that an answer says which edition of the policy it is from. */
export function policyText({ edition = 1, moreRules = 0 }: { readonly edition?: number; readonly moreRules?: number } = {}): string {
  const lands = landsWithContent.map((country) => ({ when: `request.country == "${country}"`, variant: `land-${country}` }));
  const own = (prefix: string) => markers.map((marker) => ({ when: `profile.marker == "${marker}"`, variant: `${prefix}-${marker}` }));
  const anonymous = { tier: 'anonymous', variant: 'standard', approved };
  const contents = ['standard', ...landsWithContent.map((country) => `land-${country}`)];
  for (const marker of markers) contents.push(`greeting-${marker}`, `session-${marker}`, `rail-${marker}`, `footer-${marker}`);
  const fillers = Array.from({ length: moreRules }, (_, index) => [
    `filler-${index}`,
    { tags: ['filler'], class: 'S1', variant: 'standard', when: `profile.marker == "none-${index}"`, propensityPpm: 1, value: 1 },
  ]);
  return JSON.stringify({
    stepwell: 1,
    policy: 'faults',
    owner: 'faults',
    attributes: {
      request: { country: { type: 'string', class: 'S0' } },
      session: { marker: { type: 'string', class: 'S1' } },
      profile: { marker: { type: 'string', class: 'S1' } },
    },
    contextualWithoutSignal: true,
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    dependencies: {
      identity: { budgetMs: 60 },
      consent: { budgetMs: 60 },
      profile: { budgetMs: 60 },
      session: { budgetMs: 60 },
    },
    pages: { home: { deadlineMs: 60, zones: [...zoneNames] } },
    zones: {
      greeting: {
        kind: 'content',
        criticality: 2,
        budgetMs: 50,
        ladder: [
          { tier: 'user', choose: own('greeting') },
          { tier: 'session', choose: markers.map((marker) => ({ when: `session.marker == "${marker}"`, variant: `session-${marker}` })) },
          { tier: 'segment', choose: lands },
          anonymous,
        ],
      },
      rail: {
        kind: 'offer',
        criticality: 1,
        budgetMs: 40,
        ladder: [{ tier: 'user', arbitrate: { tag: 'rail' } }, { tier: 'segment', choose: lands }, anonymous],
      },
      footer: { kind: 'content', ladder: [{ tier: 'user', choose: own('footer') }, { tier: 'segment', choose: lands }, anonymous] },
    },
    variants: Object.fromEntries(contents.map((id) => [id, { content: id === 'standard' ? { says: id, edition } : { says: id } }])),
    offers: Object.fromEntries([
      ...markers.map((marker, index) => [
        `rail-${marker}`,
        {
          tags: ['rail'],
          class: 'S1',
          variant: `rail-${marker}`,
          when: `profile.marker == "${marker}"`,
          propensityPpm: 1000 + index,
          value: 100,
        },
      ]),
      ...fillers,
    ]),
  });
}

export interface Issuer {
  /** What points a service at it. */
  readonly env: Readonly<Record<string, string>>;
  mint(person: { readonly subject: string; readonly token: NonNullable<Group['token']> }): Promise<string>;
}

const issuer = 'https://issuer.faults.example';
const audience = 'stepwell';
const hourSeconds = 3_600;

export async function createIssuer(directory: string): Promise<Issuer> {
  const keys = await generateIssuerKeys();
  const others = await generateIssuerKeys();
  const jwksPath = join(directory, 'jwks.json');
  writeFileSync(jwksPath, JSON.stringify(keys.jwks));
  const signedBy: Readonly<Record<NonNullable<Group['token']>, IssuerKeys>> = {
    good: keys,
    expired: keys,
    // A known key's name on another key's signature.
    forged: { ...others, kid: keys.kid },
    'unknown key': others,
  };
  return {
    env: { STEPWELL_JWKS: jwksPath, STEPWELL_TOKEN_ISSUER: issuer, STEPWELL_TOKEN_AUDIENCE: audience },
    mint: ({ subject, token }) =>
      mintToken({
        ...signedBy[token],
        issuer,
        audience,
        subject,
        nowMs: Date.now() - (token === 'expired' ? 2 * hourSeconds * 1000 : 0),
        lifetimeSeconds: hourSeconds,
      }),
  };
}

/** Writes everybody through the service's own routes, and answers who may now ask. */
export async function settlePeople(serviceUrl: string, mint: Issuer['mint'], who: readonly Group[] = groups): Promise<readonly Person[]> {
  const people: Person[] = [];
  for (const group of who) {
    for (let index = 0; index < group.people; index += 1) people.push(await settle(serviceUrl, mint, group, people.length));
  }
  return people;
}

async function settle(serviceUrl: string, mint: Issuer['mint'], group: Group, index: number): Promise<Person> {
  const write = (method: string, path: string, body: object) => writeTo(serviceUrl, method, path, body);
  const marker = markers[index % markersMax] ?? '';
  const subject = `${group.token === 'unknown key' ? 'stranger' : 'person'}-${marker}`;
  const country = countries[index % countries.length] ?? 'DE';
  const device = `device-${subject}`;
  await write('PUT', `/v1/profiles/${subject}`, { attributes: { marker }, audiences: [], ttlSeconds: 86_400 });
  if (group.stored !== undefined) {
    const said = group.stored === 'content only' ? contentOnly : everything(group.stored);
    await write('PUT', `/v1/consents/${subject}`, { useCases: said, recordedAt: new Date(Date.now() - 60_000).toISOString() });
  }
  if (group.device !== undefined) {
    const linked = group.device === 'own' ? subject : `another-${subject}`;
    await write('PUT', `/v1/identities/device/${device}`, { subject: linked, method: 'deterministic', confidencePpm: 1_000_000 });
  }
  if (group.isRevoked) await write('POST', '/v1/revocations', { subject });
  const sessionId = group.hasSession
    ? ((await write('POST', '/v1/sessions', { attributes: { marker } })) as { sessionId: string }).sessionId
    : undefined;
  const token = group.token === undefined ? undefined : await mint({ subject, token: group.token });
  const identity = {
    ...(token === undefined ? {} : { token }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(group.device === undefined ? {} : { deviceId: device }),
  };
  return {
    group: group.name,
    weight: group.weight,
    marker,
    subject,
    country,
    headers: group.gpc ? { 'sec-gpc': '1' } : {},
    body: { page: 'home', identity, context: { country }, ...(group.asked === undefined ? {} : { consent: { useCases: group.asked } }) },
    isFickle: group.isFickle ?? false,
    highest: group.highest,
  };
}

/** As a client would: where the store was too busy to say that it has written, it asks again. */
const writesMax = 10;

async function writeTo(serviceUrl: string, method: string, path: string, body: object): Promise<unknown> {
  for (let writes = 1; ; writes += 1) {
    const response = await fetch(`${serviceUrl}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.ok) return text === '' ? null : JSON.parse(text);
    if (response.status !== 503 || writes === writesMax)
      throw new Error(`${method} ${path.split('/').slice(0, 3).join('/')} was answered with ${response.status}: ${text}`);
    await setTimeout(Number(response.headers.get('retry-after') ?? 1) * 1000);
  }
}

export interface AnsweredZone {
  readonly zone: string;
  readonly tier: string;
  readonly variant: string | null;
  readonly offer: string | null;
  readonly render: string;
  readonly content: { readonly says?: string; readonly edition?: number } | null;
  readonly downgrade: { readonly reason: string; readonly cause: string; readonly dependency: string | null } | null;
}

/** The most that somebody may be shown now. */
export type Ceiling = Readonly<Record<ZoneName, Tier>>;

export function capped(ceiling: Ceiling, at: Tier): Ceiling {
  const cap = (tier: Tier): Tier => (rank(tier) > rank(at) ? at : tier);
  return { greeting: cap(ceiling.greeting), rail: cap(ceiling.rail), footer: cap(ceiling.footer) };
}

/** What is wrong with an answer, or null. It may always be less than the ceiling, and must then be what everybody may see. */
export function mistakeIn(person: Person, ceiling: Ceiling, zones: readonly AnsweredZone[]): string | null {
  if (zones.length !== zoneNames.length) return `${zones.length} zones were answered, and ${zoneNames.length} were asked for`;
  for (const [index, name] of zoneNames.entries()) {
    const zone = zones[index];
    if (zone?.zone !== name) return `in place of ${name} stands ${zone?.zone}`;
    if (rank(zone.tier) > rank(ceiling[name]) || rank(zone.tier) < 0)
      return `${person.group}: ${name} was served at ${zone.tier}, and ${ceiling[name]} is the most`;
    const expected = expectedVariant(person, name, zone.tier as Tier);
    if (zone.variant !== expected || zone.content?.says !== expected)
      return `${person.group}: ${name} at ${zone.tier} shows ${zone.variant} (${zone.content?.says}), and ${expected} is theirs`;
  }
  return null;
}

/** Whether every zone has the most that it may have. */
export function isWhole(person: Person, ceiling: Ceiling, zones: readonly AnsweredZone[]): boolean {
  return zoneNames.every((name, index) => {
    const reachable = ceiling[name] === 'segment' && !landsWithContent.includes(person.country) ? 'anonymous' : ceiling[name];
    return zones[index]?.tier === reachable;
  });
}

function expectedVariant({ marker, country }: Person, zone: ZoneName, tier: Tier): string {
  switch (tier) {
    case 'user':
      return `${zone}-${marker}`;
    case 'session':
      return `session-${marker}`;
    case 'segment':
      return `land-${country}`;
    case 'anonymous':
      return 'standard';
  }
}

function rank(tier: string): number {
  return tiers.indexOf(tier as Tier);
}
