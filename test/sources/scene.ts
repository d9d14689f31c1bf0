/** What the suites of HTTP sources share: a policy that names one, servers that do as they are told, and a way to ask. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Artefact, DependencySettings, HttpSourceSettings } from '../../src/decision/artefact.ts';
import type { SourceAsk } from '../../src/sources/http-source.ts';
import { createSourceKeeper, type SourceKeeper, type SourceOptions } from '../../src/sources/sources.ts';
import { systemClock } from '../../src/time/clock.ts';

const plain = { class: 'S1', categories: [], uncategorised: false } as const;
const unset: DependencySettings = { budgetMs: null, retries: 0, onFailure: null, late: null, source: null };

const noMap: HttpSourceSettings['map'] = {
  attributes: {},
  audiences: null,
  propensityPpm: null,
  subject: null,
  method: null,
  confidencePpm: null,
};

export function mapOf(map: Partial<HttpSourceSettings['map']>): HttpSourceSettings['map'] {
  return { ...noMap, ...map };
}

export function sourceAt(url: string, more: Partial<HttpSourceSettings> = {}): HttpSourceSettings {
  return {
    url,
    method: 'GET',
    headers: {},
    send: [],
    map: mapOf({ attributes: { name: 'response.name' } }),
    maxBytes: 65_536,
    connections: 16,
    ...more,
  };
}

/** A policy of which only what sources read is filled in. */
export function artefactWith(dependencies: Partial<Record<keyof Artefact['dependencies'], Partial<DependencySettings>>>): Artefact {
  const settingsOf = (name: keyof Artefact['dependencies']): DependencySettings => ({ ...unset, ...dependencies[name] });
  const attribute = (type: 'string' | 'int' | 'bool' | 'timestamp' | 'strings', values: readonly string[] | null = null) => ({
    type,
    values,
    sensitivity: plain,
  });
  return {
    format: 1,
    policy: 'sources',
    owner: null,
    revision: '0',
    attributes: {
      request: { country: attribute('string'), device: attribute('string'), seen: attribute('timestamp') },
      session: {},
      profile: {
        name: attribute('string'),
        loyalty: attribute('string', ['none', 'silver', 'gold']),
        days: attribute('int'),
        vip: attribute('bool'),
        since: attribute('timestamp'),
        tags: attribute('strings', ['a', 'b']),
      },
    },
    audiences: { lapsed: { sensitivity: plain, edge: false }, newsletter: { sensitivity: plain, edge: true } },
    contextualWithoutSignal: false,
    consent: { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] },
    freshnessMaxMs: 0,
    sensitiveCategories: [],
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    dependencies: {
      identity: settingsOf('identity'),
      consent: settingsOf('consent'),
      profile: settingsOf('profile'),
      session: settingsOf('session'),
      audience: settingsOf('audience'),
      model: settingsOf('model'),
    },
    pages: {},
    zones: {},
    variants: {},
    offers: { rail: offer(), other: offer() },
  };
}

function offer(): Artefact['offers'][string] {
  const reads = { request: [], session: false, profile: false, audience: false, model: true, audiences: false, now: false };
  return {
    variant: 'v',
    when: null,
    fromModel: true,
    propensityPpm: 0,
    value: 1,
    context: [],
    leversPerMille: 0,
    group: null,
    fromMs: null,
    untilMs: null,
    sensitivity: plain,
    reads,
    lowestTier: 'user',
  };
}

const loopback = ['127.0.0.0/8', '::1/128'];

/** Everything it opens is closed by `tidyUp`. */
export function keeperFor(artefact: Artefact, more: Partial<SourceOptions> = {}): SourceKeeper {
  const origins = Object.values(artefact.dependencies).flatMap(({ source }) => (source === null ? [] : [new URL(source.url).origin]));
  const keeper = createSourceKeeper({ environment: {}, origins, networks: loopback, clock: systemClock, ...more });
  toTidy.push(() => keeper.close());
  return keeper;
}

/** One source for profiles, ready to be asked. */
export async function profileSource(
  url: string,
  {
    source,
    options,
    ...settings
  }: Partial<Omit<DependencySettings, 'source'>> & {
    source?: Partial<HttpSourceSettings>;
    options?: Partial<SourceOptions>;
  } = {},
) {
  const artefact = artefactWith({ profile: { ...settings, source: sourceAt(url, source) } });
  const { profile } = await keeperFor(artefact, options).sourcesFor(artefact);
  if (profile === null) throw new Error('the policy names one');
  return profile;
}

/** Long enough that no test waits for it. */
export const plentyMs = 20_000;

export function askAbout(subject: string, leftMs = plentyMs): SourceAsk {
  return { subject, deviceId: null, request: {}, leftMs };
}

export interface RawServer {
  readonly url: string;
  readonly port: number;
  readonly connections: readonly Socket[];
  /** Heads of all requests received, in order. */
  readonly requests: readonly string[];
  /** Resolves when so many requests have come. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Speaks TCP and nothing else; `answer` is called for each request head. */
export async function rawServer(answer: (socket: Socket, head: string, count: number) => void): Promise<RawServer> {
  const connections: Socket[] = [];
  const requests: string[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (text.length < end + 4 + length) return;
        requests.push(text.slice(0, end + 4 + length));
        text = text.slice(end + 4 + length);
        answer(socket, head, requests.length);
        for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of connections) socket.destroy();
      server.close(() => resolve());
    });
  toTidy.push(close);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    connections,
    requests,
    received: (count) => (requests.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))),
    close,
  };
}

/** An answer as an honest server writes it. */
export function answerWith(body: unknown, { status = '200 OK', head = '' } = {}): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n${head}\r\n${text}`;
}

const toTidy: (() => Promise<void>)[] = [];

export async function tidyUp(): Promise<void> {
  await Promise.all(toTidy.splice(0).map((close) => close()));
}
