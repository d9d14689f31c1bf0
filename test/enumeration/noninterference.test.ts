/**
 * What nobody may use changes nothing: two stores that differ only in what they hold of people give the same bytes, headers, log lines,
 * spans and metrics wherever consent is not granted, and a real Redis is not even asked for it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Profile, Session } from '../../src/decision/facts.ts';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import type { Permission, Store } from '../../src/records/store.ts';
import { createLogger } from '../../src/start/logger.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { startService, type TestService } from '../http/service.ts';
import { openPatiently } from '../stores/redis-opening.ts';
import { names } from '../support/key-names.ts';
import type { Observed } from '../support/observed.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** What a store holds of people: the only thing in which two stores differ. */
interface Holding {
  readonly profiles: Readonly<Record<string, Profile>>;
  readonly session: Session | null;
}

const rich: Holding = {
  profiles: {
    alice: { attributes: { loyalty: 'gold', days_since_order: 3 }, audiences: ['lapsed'] },
    bob: { attributes: { loyalty: 'silver', days_since_order: 3 }, audiences: ['lapsed'] },
  },
  session: { attributes: { last_category: 'shoes' } },
};
const other: Holding = {
  profiles: {
    alice: { attributes: { loyalty: 'silver', days_since_order: 3 }, audiences: [] },
    bob: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] },
  },
  session: { attributes: { last_category: 'hats' } },
};
const nothing: Holding = { profiles: {}, session: null };

const all = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
};
const denied = Object.fromEntries(Object.keys(all).map((useCase) => [useCase, 'denied']));
const noActivation = { ...all, profile_activation_content: 'denied', profile_activation_offer: 'denied' };

interface Asked {
  readonly name: string;
  readonly payload: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Whoever is asked about here: Alice's token, or a token that does not prove her, and a session of ours. */
interface Visitors {
  readonly alice: string;
  readonly bob: string;
  readonly expired: string;
  readonly sessionId: string;
}

/** Requests of which no rung may use a profile or a session. */
function withoutConsent({ alice, bob, expired, sessionId }: Visitors): readonly Asked[] {
  const page = { page: 'home', context: { country: 'DE', device: 'mobile' } };
  const known = { ...page, identity: { token: alice, sessionId, deviceId: 'd-of-alice-1' } };
  const person = { ...page, identity: { token: alice } };
  return [
    { name: 'nothing said', payload: known },
    { name: 'all denied', payload: { ...known, consent: { useCases: denied } } },
    { name: 'analytics alone granted', payload: { ...known, consent: { useCases: { analytics_content: 'granted' } } } },
    { name: 'activation granted alone', payload: { ...known, consent: { useCases: { profile_activation_content: 'granted' } } } },
    { name: 'a string that does not decode', payload: { ...known, consent: { tcf: 'not-a-string', useCases: all } } },
    { name: 'a contradiction', payload: { ...known, consent: { useCases: all, usPrivacy: '1YYN', tcf: 'x' } } },
    {
      name: 'GPC for a zone of offers',
      payload: { ...known, zones: ['offer_rail'], consent: { useCases: all } },
      headers: { 'sec-gpc': '1' },
    },
    { name: 'activation denied', payload: { ...person, consent: { useCases: noActivation } } },
    { name: 'GPC against activation', payload: { ...person, consent: { useCases: all } }, headers: { 'sec-gpc': '1' } },
    { name: 'a denial that is stored', payload: { ...page, identity: { token: bob, sessionId }, consent: { useCases: all } } },
    { name: 'a token that ran out', payload: { ...page, identity: { token: expired }, consent: { useCases: all } } },
    { name: 'a token that is none', payload: { ...page, identity: { token: 'a.b.c' }, consent: { useCases: all } } },
    { name: 'a device alone', payload: { ...page, identity: { deviceId: 'd-of-alice-1' }, consent: { useCases: all } } },
    { name: 'a session id that is none', payload: { ...page, identity: { sessionId: 's1.x.y' }, consent: { useCases: all } } },
    { name: 'nobody', payload: { ...page, consent: { useCases: all } } },
  ];
}

// ------------------------------------------------------------------------------------------------------------------- a service

const traceparent = '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01';

interface Scene {
  readonly service: TestService;
  readonly visitors: Visitors;
}

async function fill(service: TestService, store: Store, holding: Holding): Promise<Scene> {
  const { sessionId, id } = minted(service);
  for (const [subject, profile] of Object.entries(holding.profiles)) await store.putProfile(subject, profile, 600);
  if (holding.session !== null) await store.putSession(id, holding.session, 600);
  await store.putIdentity('device', 'd-of-alice-1', { subject: 'alice', method: 'deterministic', confidencePpm: 1_000_000 }, 600);
  // What Bob said is no secret here: it stands in every store.
  const says = {
    useCases: { content_personalization: 'denied', offers: 'denied' },
    recordedAtMs: service.clock.nowMs() - 1000,
    source: 'api',
  };
  await store.putConsent('bob', says as never, 600);
  const expired = await service.tokenOf('alice');
  service.clock.advance(700_000);
  const [alice, bob] = [await service.tokenOf('alice'), await service.tokenOf('bob')];
  return { service, visitors: { alice, bob, expired, sessionId } };
}

/** The same visit in every store: its id was made once. */
let made: { readonly sessionId: string; readonly id: string } | null = null;
function minted({ parts }: TestService) {
  made ??= parts.sessionIds.mint(80_000);
  return made;
}

async function observe(store: Store, holding: Holding, asked: (visitors: Visitors) => readonly Asked[]): Promise<Observed> {
  const logLines: string[] = [];
  const spans: unknown[] = [];
  const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {}, spanProcessors: [keeping(spans)] });
  const logger = createLogger({ level: 'trace', destination: { write: (line: string) => void logLines.push(masked(line)) } });
  try {
    const { service, visitors } = await fill(await startService({ store, telemetry, logger }), store, holding);
    const answers: string[] = [];
    for (const { name, payload, headers } of asked(visitors)) {
      const given = { traceparent, ...headers };
      const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload, headers: given });
      expect(response.statusCode, `${name}: ${response.payload}`).toBe(200);
      answers.push(masked(`${name}: ${JSON.stringify(response.headers)} ${response.payload}`));
    }
    const shared = await service.app.inject({ method: 'GET', url: '/v1/decide?page=home&country=DE' });
    answers.push(masked(`shared: ${shared.statusCode} ${JSON.stringify(shared.headers)} ${shared.payload}`));
    const metrics = (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('stepwell_'));
    return { answers, logLines, spans, metrics };
  } finally {
    await telemetry.shutdown();
  }
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

/** Ids of requests and spans, and instants of the real clock, which are new every time. */
function masked(text: string): string {
  return text
    .replaceAll(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<id>')
    .replaceAll(/-[0-9a-f]{16}-01/g, '-<span>-01')
    .replaceAll(/"time":\d+/g, '"time":0')
    .replaceAll(/"date":"[^"]*"/g, '"date":""')
    .replaceAll(/;dur=[\d.]+/g, ';dur=0');
}

/** The guard that reads nothing without consent, and the one that obeys what was read: both taken out. */
const always: Permission = { alternatives: [[]], grantsCountFromMs: 0, grantsCountUntilMs: Number.MAX_SAFE_INTEGER };

function readingAll(store: Store): Store {
  return {
    ...store,
    read: (plan) =>
      store.read({ ...plan, profile: plan.subject === null ? null : always, session: plan.sessionId === null ? null : always }),
  };
}

function grantingAll(store: Store): Store {
  return {
    ...store,
    async read(plan) {
      const reading = await readingAll(store).read(plan);
      const useCases = all as Readonly<Record<string, 'granted'>>;
      return { ...reading, consent: { useCases, recordedAtMs: Date.UTC(2026, 10, 21) } };
    },
  };
}

// -------------------------------------------------------------------------------------------------------------------- the tests

interface Opened {
  readonly store: Store;
  close(): Promise<void>;
}

const openers: Readonly<Record<'embedded' | 'redis', () => Promise<Opened>>> = {
  async embedded() {
    const directory = mkdtempSync(join(tmpdir(), 'stepwell-pairs-'));
    const store = openEmbeddedStore({ directory, clock: new VirtualClock(), repeat: () => () => {} });
    return {
      store,
      async close() {
        await store.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
  async redis() {
    const redis = await startRedis();
    const store = await openPatiently(redis.url);
    return {
      store,
      async close() {
        await store.close();
        await redis.stop();
      },
    };
  },
};

async function observed(
  kind: keyof typeof openers,
  holding: Holding,
  asked: (visitors: Visitors) => readonly Asked[] = withoutConsent,
  around: (store: Store) => Store = (store) => store,
): Promise<Observed> {
  const { store, close } = await openers[kind]();
  try {
    return await observe(around(store), holding, asked);
  } finally {
    await close();
  }
}

describe.each(['embedded', 'redis'] as const)('two %s stores that differ only in what they hold of people', (kind) => {
  it('answer, log, trace and measure alike where consent is not granted', async () => {
    const whole = await observed(kind, rich);
    expect(whole.answers.length).toBe(16);
    expect(whole.logLines.length + whole.spans.length).toBeGreaterThan(30);
    expect(whole.metrics.length).toBeGreaterThan(10);
    expect(await observed(kind, other)).toEqual(whole);
    expect(await observed(kind, nothing)).toEqual(whole);
  });

  it('say the same of Alice, whatever they hold of Bob', async () => {
    const aboutAlice = ({ alice, sessionId }: Visitors): readonly Asked[] => [
      { name: 'all granted', payload: { page: 'home', identity: { token: alice, sessionId }, consent: { useCases: all } } },
      { name: 'nothing said', payload: { page: 'home', identity: { token: alice, sessionId } } },
    ];
    const whole = await observed(kind, rich, aboutAlice);
    expect(whole.answers[0]).toContain('"tier":"user"');
    const { alice } = rich.profiles;
    const withoutBob = { ...rich, profiles: alice === undefined ? {} : { alice } };
    expect(await observed(kind, withoutBob, aboutAlice)).toEqual(whole);
    expect(await observed(kind, { ...rich, profiles: { ...rich.profiles, bob: other.profiles.bob as Profile } }, aboutAlice)).toEqual(
      whole,
    );
  });

  it('would be told apart by a service that grants what nobody granted', async () => {
    const [one, two] = [
      await observed(kind, rich, withoutConsent, grantingAll),
      await observed(kind, nothing, withoutConsent, grantingAll),
    ];
    expect(one.answers).not.toEqual(two.answers);
    expect(one.spans).not.toEqual(two.spans);
    expect(one.metrics).not.toEqual(two.metrics);
  });
});

describe('a real Redis, while consent is not granted', () => {
  let redis: RunningRedis;
  let store: Store;
  beforeAll(async () => {
    redis = await startRedis();
    store = await openPatiently(redis.url);
  });
  afterAll(async () => {
    await store.close();
    await redis.stop();
  });

  it.each(withoutConsent({ alice: '', bob: '', expired: '', sessionId: '' }).map(({ name }) => name))(
    'is not asked for a profile or a session: %s',
    async (name) => {
      expect(await lookedUpFor(name, withoutConsent, store)).toEqual([]);
    },
  );

  it('is asked for both when consent is granted, so that the test would see it', async () => {
    const granted = ({ alice, sessionId }: Visitors): readonly Asked[] => [
      { name: 'granted', payload: { page: 'home', identity: { token: alice, sessionId }, consent: { useCases: all } } },
    ];
    const touched = await lookedUpFor('granted', granted, store);
    expect(touched).toEqual(['profile', 'session']);
  });

  it('would be seen to be asked by a service that reads first and asks for consent later', async () => {
    const touched = await lookedUpFor('nothing said', withoutConsent, readingAll(store));
    expect(touched).toEqual(['profile', 'session']);
  });

  /** Which profiles and sessions Redis looked up for one request, as `MONITOR` tells: the names a script was given are not yet a look. */
  async function lookedUpFor(name: string, asked: (visitors: Visitors) => readonly Asked[], through: Store) {
    const { service, visitors } = await fill(await startService({ store: through }), store, rich);
    const one = asked(visitors).find((candidate) => candidate.name === name) as Asked;
    const monitor = await startMonitor(redis.port);
    try {
      const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload: one.payload, headers: { ...one.headers } });
      expect(response.statusCode).toBe(200);
      const lines = await monitor.until(`end of ${name}`);
      const looked = lines.filter((line) => !/\] "(?:eval|evalsha|fcall)\w*"/i.test(line));
      const keys = looked.flatMap((line) => line.match(/sw:\{[\w-]{22}\}:(?:profile|session)(?=")/g) ?? []);
      return [...new Set(keys)].map((key) => key.split(':').at(-1)).sort();
    } finally {
      monitor.close();
    }
  }

  it('keeps them under the names that the test looks for', async () => {
    await fill(await startService({ store }), store, rich);
    const client = new Redis(redis.url);
    expect(await client.exists(`sw:{${names.subject('alice')}}:profile`)).toBe(1);
    expect(await client.exists(`sw:{${names.session(made?.id ?? '')}}:session`)).toBe(1);
    client.disconnect();
  });
});

interface Monitor {
  /** All that Redis did until now: the marker is the last thing it hears of. */
  until(marker: string): Promise<readonly string[]>;
  close(): void;
}

async function startMonitor(port: number): Promise<Monitor> {
  const listening = await connected(port);
  const marking = await connected(port);
  let heard = '';
  const waiting: { readonly text: string; readonly heard: () => void }[] = [];
  const hears = (text: string) =>
    new Promise<void>((resolve) => (heard.includes(text) ? resolve() : void waiting.push({ text, heard: resolve })));
  listening.setEncoding('utf8').on('data', (data) => {
    heard += data;
    for (const one of waiting) if (heard.includes(one.text)) one.heard();
  });
  listening.write('MONITOR\r\n');
  await hears('+OK');
  return {
    async until(marker) {
      marking.write(`ECHO "${marker}"\r\n`);
      await hears(marker);
      const lines = heard.split('\r\n').filter((line) => / \[\d+ [^\]]+\] /.test(line));
      return lines.filter((line) => !line.includes(marker));
    },
    close() {
      listening.destroy();
      marking.destroy();
    },
  };
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket)).on('error', reject);
    socket.on('data', () => {});
  });
}
