/** A pharmacy's policy with and without what is sensitive in it, its visitors, and everything that one service says and asks on their account. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { onTestFinished } from 'vitest';
import { usSectionKinds } from '../../src/consent/gpp-us-sections.ts';
import type { StoredConsent } from '../../src/decision/facts.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { createHolder, generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { proofTargetsOf } from '../../src/identity/proof-targets.ts';
import { createSessionIds } from '../../src/identity/session-id.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import type { Store } from '../../src/records/store.ts';
import { createLogger } from '../../src/start/logger.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import type { Telemetry } from '../../src/telemetry/telemetry.ts';
import { gppOf, usSectionText } from '../consent/encode-gpp.ts';
import { startService } from '../http/service.ts';
import type { Observed } from '../support/observed.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

// ------------------------------------------------------------------------------------------------------------------- the policy

/** Words that occur nowhere else: the ids of all that is of class S2 or S3. */
export const canaries = {
  elevatedAttribute: 'canaryincome',
  specialAttribute: 'canaryasthma',
  specialSessionAttribute: 'canaryvisit',
  elevatedAudience: 'canarydebtors',
  elevatedVariant: 'canaryloan',
  specialVariant: 'canaryinhaler',
  elevatedOffer: 'canarycredit',
  specialOffer: 'canaryspray',
  specialTag: 'canarytag',
  group: 'canarygroup',
} as const;

export type Kept = 'ordinary' | 'and elevated' | 'and all';
const approved = { by: 'Editor', on: '2026-11-01', until: '2027-11-01' };

/** Wherever something sensitive stands, something ordinary beside it reads the same facts, so that they are waited for in any case. */
export function pharmacy(kept: Kept): object {
  const c = canaries;
  const elevated = kept !== 'ordinary';
  const special = kept === 'and all';
  const health = { class: 'S3', category: 'health' };
  const rules = (ordinary: readonly object[], sensitive: readonly object[]) => [...sensitive, ...ordinary];
  const anonymous = { tier: 'anonymous', variant: 'plain', approved };
  const offer = { propensityPpm: 900_000, group: c.group };
  return {
    stepwell: 1,
    policy: 'pharmacy',
    attributes: {
      request: { country: { type: 'string', class: 'S0' } },
      session: { seen: { type: 'string', class: 'S1' }, ...(special && { [c.specialSessionAttribute]: { type: 'string', ...health } }) },
      profile: {
        loyalty: { type: 'string', class: 'S1' },
        ...(elevated && { [c.elevatedAttribute]: { type: 'string', class: 'S2' } }),
        ...(special && { [c.specialAttribute]: { type: 'string', ...health } }),
      },
    },
    audiences: { lapsed: { class: 'S1' }, ...(elevated && { [c.elevatedAudience]: { class: 'S2' } }) },
    contextualWithoutSignal: true,
    consent: { vendorId: 1111, maxAgeDays: 180, regimes: { US: 'us_opt_out' } },
    sensitive: { S3: { enabled: true, categories: ['health'] } },
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    pages: { home: { zones: ['hero', 'rail', 'tile'] } },
    zones: {
      hero: {
        kind: 'content',
        ladder: [
          {
            tier: 'user',
            choose: rules(
              [{ when: 'profile.loyalty == "gold"', variant: 'gold' }],
              [
                ...(special ? [{ when: `profile.${c.specialAttribute} == "yes"`, variant: c.specialVariant }] : []),
                ...(elevated ? [{ when: `"${c.elevatedAudience}" in audiences`, variant: c.elevatedVariant }] : []),
              ],
            ),
          },
          {
            tier: 'session',
            choose: rules(
              [{ when: 'session.seen == "shoes"', variant: 'shoes' }],
              special ? [{ when: `session.${c.specialSessionAttribute} == "yes"`, variant: c.specialVariant }] : [],
            ),
          },
          {
            tier: 'segment',
            choose: rules(
              [{ when: 'request.country == "DE"', variant: 'german' }],
              special ? [{ variant: c.specialVariant, ...health, when: 'request.country != "AT"' }] : [],
            ),
          },
          anonymous,
        ],
      },
      rail: {
        kind: 'offer',
        ladder: [{ tier: 'user', arbitrate: { tag: 'rail' } }, { tier: 'session', arbitrate: { tag: 'rail' } }, anonymous],
      },
      // Shares its offers with the rail, so what the rail shows matters to it.
      tile: { kind: 'offer', ladder: [{ tier: 'user', arbitrate: { tag: 'rail' } }, anonymous] },
    },
    variants: {
      ...Object.fromEntries(['plain', 'gold', 'shoes', 'german', 'socks', 'boots'].map((id) => [id, { content: id }])),
      ...(elevated && { [c.elevatedVariant]: { content: 'a loan', class: 'S2' } }),
      ...(special && { [c.specialVariant]: { content: 'an inhaler', ...health } }),
    },
    offers: {
      ...(special && {
        [c.specialOffer]: {
          ...offer,
          ...{ tags: ['rail', c.specialTag], ...health, value: 900, variant: c.specialVariant },
          when: `profile.${c.specialAttribute} == "yes"`,
        },
      }),
      ...(elevated && {
        [c.elevatedOffer]: {
          ...offer,
          ...{ tags: ['rail'], class: 'S2', value: 800, variant: c.elevatedVariant },
          when: `profile.${c.elevatedAttribute} == "low"`,
        },
      }),
      socks: { tags: ['rail'], class: 'S1', variant: 'socks', when: 'profile.loyalty == "gold"', propensityPpm: 1000, value: 2 },
      boots: { tags: ['rail'], class: 'S1', variant: 'boots', when: 'session.seen == "shoes"', propensityPpm: 1000, value: 1 },
    },
  };
}

// ------------------------------------------------------------------------------------------------------------------ the visitors

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const target = 'https://decide.example/v1/decide';
const keys = await generateIssuerKeys();
const keySet = await keySetOf(keys.jwks);
const [holder, stranger] = [await createHolder(), await createHolder()];
const startMs = new VirtualClock().nowMs();
const sessionIds = createSessionIds({ secret: Buffer.alloc(32, 7), clock: new VirtualClock() });
const session = sessionIds.mint(80_000);

const personal = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
} as const;
/** Who granted the category, who denied it, and who never said a word of it. */
export const people = {
  ada: { ...personal, 'category:health': 'granted' },
  bob: { ...personal, 'category:health': 'denied' },
  cyd: personal,
} as const satisfies Record<string, StoredConsent['useCases']>;
export type Person = keyof typeof people;

export interface Asked {
  readonly name: string;
  /** Absent: `POST /v1/decide`. */
  readonly call?: { readonly method: 'GET' | 'PUT'; readonly url: string };
  readonly payload: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const page = { page: 'home', context: { country: 'DE' } };
const seconds = Math.floor(startMs / 1000);
const bound = { cnf: { jkt: holder.thumbprint } };

function tokenOf(subject: Person, claims: Record<string, unknown>, agoMs = 0): Promise<string> {
  return mintToken({ ...keys, ...parties, subject, nowMs: startMs - agoMs, lifetimeSeconds: 600, claims });
}

/** The proof is used up with the request. */
async function proved(token: string, by = holder): Promise<object> {
  return { token, proof: await by.prove({ token, target, nowMs: startMs }) };
}

/** A person proved as S2 and S3 ask for. */
export async function steppedUp(person: Person, consent: object = { useCases: personal }): Promise<Asked> {
  const token = await tokenOf(person, { ...bound, auth_time: seconds - 60 });
  return {
    name: `${person} stepped up`,
    payload: { ...page, identity: { ...(await proved(token)), sessionId: session.sessionId }, consent },
  };
}

const usnat = usSectionKinds.find(({ id }) => id === 7);

const consents: Readonly<Record<string, { readonly consent?: object; readonly headers?: Asked['headers'] }>> = {
  'nothing said': {},
  'all granted': { consent: { useCases: personal } },
  'all denied': { consent: { useCases: Object.fromEntries(Object.keys(personal).map((useCase) => [useCase, 'denied'])) } },
  'no activation': { consent: { useCases: { ...personal, profile_activation_offer: 'denied' } } },
  'what does not decode': { consent: { useCases: personal, tcf: 'x' } },
  GPC: { consent: { useCases: personal }, headers: { 'sec-gpc': '1' } },
};

/** Every identity that falls short of what S2 asks for, with every consent. */
export async function shortOfS2(): Promise<readonly Asked[]> {
  const asked: Asked[] = [];
  for (const person of Object.keys(people) as Person[]) {
    const fresh = { ...bound, auth_time: seconds - 60 };
    const identities: Readonly<Record<string, () => Promise<object>>> = {
      nobody: async () => ({}),
      'a session': async () => ({ sessionId: session.sessionId }),
      'a device': async () => ({ deviceId: `d-of-${person}-0001`, sessionId: session.sessionId }),
      'a token that is none': async () => ({ token: 'a.b.c' }),
      'a token that ran out': async () => proved(await tokenOf(person, fresh, 700_000)),
      'a token of a bearer': async () => ({ token: await tokenOf(person, { auth_time: seconds - 60 }), sessionId: session.sessionId }),
      'a bound token alone': async () => ({ token: await tokenOf(person, fresh), sessionId: session.sessionId }),
      "a bound token and a stranger's proof": async () => proved(await tokenOf(person, fresh), stranger),
      'a sign-in of long ago': async () => proved(await tokenOf(person, { ...bound, auth_time: seconds - 901 })),
      'a sign-in of no known time': async () => proved(await tokenOf(person, bound)),
    };
    for (const [who, identity] of Object.entries(identities)) {
      for (const [what, { consent, headers }] of Object.entries(consents)) {
        const payload = { ...page, identity: await identity(), ...(consent && { consent }) };
        asked.push({ name: `${person}: ${who}, ${what}`, payload, ...(headers && { headers }) });
      }
    }
  }
  return asked;
}

/** Proved, and short of S3 alone: no grant of the category that counts. */
export async function shortOfS3(): Promise<readonly Asked[]> {
  const asked = [await steppedUp('bob'), await steppedUp('cyd')];
  const child = gppOf([[7, usSectionText(usnat as NonNullable<typeof usnat>, { lists: { KnownChildSensitiveDataConsents: [1, 1] } })]]);
  const refusals = { 'a string that does not decode': { useCases: personal, tcf: 'x' }, 'a child': { useCases: personal, gpp: child } };
  for (const [what, consent] of Object.entries(refusals)) {
    const { name, payload } = await steppedUp('ada', consent);
    asked.push({ name: `${name}, ${what}`, payload });
  }
  return asked;
}

// -------------------------------------------------------------------------------------------------------------------- what is seen

export interface ObservedWithAsks extends Observed {
  /** Every call of the store while it answered, with all that it was asked. */
  readonly asks: readonly string[];
}

interface Watched {
  readonly store: Store;
  readonly kept: Kept;
  readonly asked: readonly Asked[];
  /** Stands between the service and its telemetry. */
  readonly around?: (telemetry: Telemetry) => Telemetry;
}

export async function observe({ store, kept, asked, around = (telemetry) => telemetry }: Watched): Promise<ObservedWithAsks> {
  const logLines: string[] = [];
  const spans: unknown[] = [];
  const asks: string[] = [];
  const clock = new VirtualClock();
  const telemetry = await startTelemetry({ clock, env: {}, spanProcessors: [keeping(spans)] });
  const logger = createLogger({ level: 'trace', destination: { write: (line: string) => void logLines.push(masked(line)) } });
  const verifier = createTokenVerifier({ keySet, ...parties, clock: new VirtualClock(), proofTargets: proofTargetsOf([target]) });
  const service = await startService(
    { store: listening(store, asks), telemetry: around(telemetry), logger, verifier, sessionIds },
    policyFile(kept),
  );
  await fill(store);
  asks.length = 0;
  try {
    const answers: string[] = [];
    const keep = (name: string, { statusCode, headers, payload }: { statusCode: number; headers: object; payload: string }) =>
      void answers.push(masked(`${name}: ${statusCode} ${JSON.stringify(headers)} ${payload}`, service.artefact.revision));
    for (const { name, call = { method: 'POST' as const, url: '/v1/decide' }, payload, headers } of asked) {
      const body = call.method === 'GET' ? {} : { payload };
      // A caller's spans are kept up to so many a second: here, all of them.
      clock.advance(1000);
      keep(name, await service.app.inject({ ...call, ...body, headers: { traceparent, ...headers } }));
    }
    keep('shared', await service.app.inject({ method: 'GET', url: '/v1/decide?page=home&country=DE', headers: { traceparent } }));
    const metrics = (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('stepwell_'));
    const withoutRevision = JSON.parse(JSON.stringify(spans).replaceAll(service.artefact.revision, '<revision>'));
    return { answers, logLines, spans: withoutRevision, metrics, asks };
  } finally {
    await telemetry.shutdown();
  }
}

const traceparent = '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01';

async function fill(store: Store): Promise<void> {
  const c = canaries;
  const attributes = { loyalty: 'gold', [c.elevatedAttribute]: 'low', [c.specialAttribute]: 'yes' };
  for (const [person, useCases] of Object.entries(people)) {
    await store.putProfile(person, { attributes, audiences: ['lapsed', c.elevatedAudience] }, 600);
    await store.putConsent(person, { useCases, recordedAtMs: startMs }, 600);
    await store.putIdentity('device', `d-of-${person}-0001`, { subject: person, method: 'deterministic', confidencePpm: 1_000_000 }, 600);
  }
  await store.putSession(session.id, { attributes: { seen: 'shoes', [c.specialSessionAttribute]: 'yes' } }, 600);
}

/** Tells of every call before it is made. */
function listening(store: Store, asks: string[]): Store {
  return new Proxy(store, {
    get(target_, name, receiver) {
      const member = Reflect.get(target_, name, receiver);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        asks.push(`${String(name)} ${JSON.stringify(given)}`);
        return member.apply(target_, given);
      };
    },
  });
}

function policyFile(kept: Kept): string {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-sensitive-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'pharmacy.json');
  writeFileSync(path, JSON.stringify(pharmacy(kept)));
  return path;
}

type Processor = NonNullable<NodeSDKConfiguration['spanProcessors']>[number];

function keeping(spans: unknown[]): Processor {
  return {
    onStart() {},
    onEnd: ({ name, attributes, events, status, startTime, endTime }) =>
      void spans.push({ name, attributes, events, status, startTime, endTime }),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}

/** Which policy it was, ids of requests and spans, and instants of the real clock, which are new every time. */
function masked(text: string, revision = ' '): string {
  return text
    .replaceAll(revision, '<revision>')
    .replaceAll(revision.slice(0, 16), '<revision>')
    .replaceAll(/"etag":"[^}]*?",/g, '"etag":"",')
    .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>')
    .replaceAll(/-[0-9a-f]{16}-0([01])/g, '-<span>-0$1')
    .replaceAll(/"time":\d+/g, '"time":0')
    .replaceAll(/"date":"[^"]*"/g, '"date":""')
    .replaceAll(/;dur=[\d.]+/g, ';dur=0');
}
