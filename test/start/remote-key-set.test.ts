/** The issuer's keys at an address: who is asked how often, and what becomes of the keys whatever the address answers. */
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { keptKeySetName } from '../../src/start/kept-key-set.ts';
import {
  answerWithinMs,
  goodForMs,
  type KeySetChange,
  openRemoteKeySet,
  type RemoteKeySetParts,
  refreshEveryMs,
  unknownKeyPauseMs,
} from '../../src/start/remote-key-set.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { audience, claimsAt, headerOf, issuer, newKey, signed, type TestKey } from '../identity/issuer.ts';
import { answerWith, rawServer, tidyUp } from '../sources/scene.ts';
import { throwAwayCertificate } from '../support/certificate.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

afterEach(tidyUp);

const [first, second] = [newKey('first'), newKey('second')];
const jwksOf = (...keys: readonly TestKey[]) => ({ keys: keys.map(({ publicJwk }) => publicJwk) });
const publishing = (...keys: readonly TestKey[]) => answerWith(jwksOf(...keys));

/** An address that answers with whatever was put up last. */
async function address(answer: string | Buffer | ((socket: Socket) => void) = publishing(first)) {
  const published = { answer };
  const server = await rawServer((socket) => {
    const { answer: now } = published;
    if (typeof now === 'function') now(socket);
    else socket.write(now);
  });
  return { server, published, url: `${server.url}/keys` };
}

async function open(url: string, more: Partial<RemoteKeySetParts> = {}) {
  const clock = (more.clock as VirtualClock | undefined) ?? new VirtualClock();
  const told: KeySetChange[] = [];
  const directory = more.directory ?? (await directoryOfTest());
  const remote = openRemoteKeySet({ url, directory, clock, random: () => 0, tell: (change) => told.push(change), ...more });
  onTestFinished(() => remote.dispose());
  return { ...remote, clock, told, directory };
}

async function directoryOfTest(): Promise<string> {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  return directory.path;
}

/** The network is real here, and only the clock is not. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** The next time the address is asked, and everything that follows from it. */
async function refreshed({ clock, told }: Awaited<ReturnType<typeof open>>, byMs = refreshEveryMs): Promise<void> {
  const before = told.length;
  clock.advance(byMs);
  await until(() => told.length > before);
}

describe('the keys of an address', () => {
  test('are there when the service begins, and asked for in plain JSON', async () => {
    const { server, url } = await address();
    const { ready, keySet, told } = await open(url);
    await ready;
    expect(keySet.find('first')?.algorithm).toBe('Ed25519');
    expect(told).toEqual([{ kind: 'replaced' }]);
    expect(server.requests[0]).toMatch(/^GET \/keys HTTP\/1\.1/);
    expect(server.requests[0]).toMatch(/accept-encoding: identity/i);
    expect(server.requests[0]).not.toMatch(/cookie|authorization/i);
  });

  test('that were taken back are out of use within a minute, whatever is in the cache', async () => {
    const { published, url } = await address();
    const opened = await open(url);
    await opened.ready;
    const { keySet, clock } = opened;
    const verifier = createTokenVerifier({ keySet, issuer, audience, clock });
    const token = signed(first, headerOf(first), claimsAt(clock.nowMs()));
    expect((await verifier.verify(token)).evidence.state).toBe('verified');
    published.answer = publishing(second);
    await refreshed(opened);
    expect(refreshEveryMs + answerWithinMs).toBeLessThanOrEqual(60_000);
    expect((await verifier.verify(token)).evidence.state).toBe('invalid');
    expect(keySet.find('second')).toBeDefined();
  });

  test('that are the same again leave what was verified under them', async () => {
    const { server, url } = await address();
    const { ready, keySet, clock } = await open(url);
    await ready;
    const { revision } = keySet;
    clock.advance(refreshEveryMs);
    await server.received(2);
    await until(() => clock.pendingTimers === 1);
    expect(keySet.revision).toBe(revision);
  });

  test('come over TLS from whoever the certificate names, and from nobody else', async () => {
    const { certificate, key } = throwAwayCertificate();
    const server = createServer({ cert: certificate, key }, (_, response) => {
      response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(jwksOf(first)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    const trusting = await open(url, { certificateAuthority: certificate });
    await trusting.ready;
    expect(trusting.keySet.find('first')).toBeDefined();
    const strict = await open(url);
    await strict.ready;
    expect(strict.told).toEqual([{ kind: 'unavailable', why: 'unreachable' }]);
    await Promise.all([trusting.dispose(), strict.dispose()]);
  });
});

const megabyte = 'x'.repeat(1_048_576);
const bomb = gzipSync(`{"keys":[],"pad":"${megabyte.repeat(16)}"}`);
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const privateJwk = { ...first.publicJwk, d: first.privateKey.export({ format: 'jwk' }).d };
const dribble = (socket: Socket) => {
  socket.write(`${head}content-length: 100000\r\n\r\n{"keys":[`);
};

const lies: readonly {
  readonly what: string;
  readonly answer: string | Buffer | ((socket: Socket) => void);
  readonly why: string;
  readonly waits?: true;
}[] = [
  { what: 'says 500', answer: answerWith({}, { status: '500 Oops' }), why: 'status_server_error' },
  { what: 'says 404', answer: answerWith({}, { status: '404 Nothing' }), why: 'the address answers that there is none' },
  { what: 'closes without a word', answer: (socket) => void socket.destroy(), why: 'connection_reset' },
  {
    what: 'redirects to where machines get their credentials',
    answer: answerWith({}, { status: '302 There', head: 'location: http://169.254.169.254/latest/meta-data/\r\n' }),
    why: 'redirect',
  },
  {
    what: 'redirects to a file',
    answer: answerWith({}, { status: '307 There', head: 'location: file:///etc/passwd\r\n' }),
    why: 'redirect',
  },
  { what: 'sends HTML', answer: 'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>', why: 'not_json' },
  { what: 'sends half of it', answer: (socket) => void socket.end(`${head}connection: close\r\n\r\n{"keys":[`), why: 'not_json' },
  {
    what: 'sends a gzip bomb',
    answer: Buffer.concat([Buffer.from(`${head}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb]),
    why: 'not_json',
  },
  { what: 'encodes twice', answer: `${head}content-encoding: gzip, br\r\ncontent-length: 2\r\n\r\n{}`, why: 'not_json' },
  { what: 'announces fifty megabytes', answer: `${head}content-length: 52428800\r\n\r\n{`, why: 'too_large' },
  { what: 'sends more than a quarter of a megabyte', answer: answerWith({ keys: [], pad: 'x'.repeat(262_144) }), why: 'too_large' },
  { what: 'says nothing', answer: () => {}, why: 'timed_out', waits: true },
  { what: 'sends drop by drop', answer: dribble, why: 'timed_out', waits: true },
  { what: 'sends no key', answer: answerWith({ keys: [] }), why: 'it has no signing key of type Ed25519 or P-256' },
  { what: 'sends no set', answer: answerWith([]), why: 'it must be a JSON object with a list `keys`' },
  {
    what: 'has a private key of a name without end',
    answer: answerWith({ keys: [{ ...privateJwk, kid: 'x'.repeat(100_000) }] }),
    why: 'key number 1 is a private key: give its public half, without `d`, and consider it exposed',
  },
  {
    what: 'has one name for two keys',
    answer: answerWith({ keys: [first.publicJwk, first.publicJwk] }),
    why: 'key number 2 has the `kid` of another key: every key needs its own',
  },
  {
    what: 'gives a private key away',
    answer: answerWith({ keys: [privateJwk] }),
    why: 'key number 1 is a private key: give its public half, without `d`, and consider it exposed',
  },
];

describe('an address that', () => {
  test.each(lies)('$what leaves the keys as they were, and is asked again', async ({ answer, why, waits }) => {
    const { server, published, url } = await address();
    const opened = await open(url);
    await opened.ready;
    const { keySet, told, clock } = opened;
    const { revision } = keySet;
    published.answer = answer;
    if (waits) {
      clock.advance(refreshEveryMs);
      await server.received(2);
      await refreshed(opened, answerWithinMs);
    } else await refreshed(opened);
    expect(told.at(-1)).toEqual({ kind: 'unavailable', why });
    expect([keySet.revision, keySet.find('first') !== undefined]).toEqual([revision, true]);
    published.answer = publishing(first);
    await refreshed(opened);
    expect(told.at(-1)).toEqual({ kind: 'available' });
    expect(server.requests.every((request) => request.startsWith('GET /keys '))).toBe(true);
  });

  test('cannot be resolved to anything but this machine without a certificate, nor to where credentials are with one', async () => {
    for (const [url, elsewhere] of [
      ['http://localhost:1/keys', '10.0.0.1'],
      ['https://id.example/keys', '169.254.169.254'],
      ['https://id.example/keys', 'fe80::1'],
    ] as const) {
      const { ready, told } = await open(url, { resolve: async () => [{ address: elsewhere, family: elsewhere.includes(':') ? 6 : 4 }] });
      await ready;
      expect(told, url).toEqual([{ kind: 'unavailable', why: 'address_forbidden' }]);
    }
  });
});

describe('tokens that name keys nobody knows', () => {
  test('have the address asked once in half a minute, however many they are', async () => {
    const { server, url } = await address();
    const { ready, keySet, clock } = await open(url);
    await ready;
    const verifier = createTokenVerifier({ keySet, issuer, audience, clock });
    const stranger = newKey('../../etc/passwd');
    const token = signed(stranger, headerOf(stranger), {});
    const flood = () => {
      for (let at = 0; at < 1000; at += 1) expect(verifier.verify(token)).toMatchObject({ evidence: { state: 'invalid' } });
    };
    flood();
    clock.advance(unknownKeyPauseMs - 1);
    flood();
    expect(server.requests).toHaveLength(1);
    clock.advance(1);
    await server.received(2);
    await until(() => clock.pendingTimers === 1);
    for (let second = 0; second < 29; second += 1) {
      flood();
      clock.advance(1000);
    }
    expect(server.requests).toHaveLength(2);
  });

  test('find a new key of the issuer’s that way', async () => {
    const { published, url } = await address();
    const opened = await open(url);
    await opened.ready;
    published.answer = publishing(first, second);
    opened.keySet.missed();
    await refreshed(opened, unknownKeyPauseMs);
    expect(opened.keySet.find('second')).toBeDefined();
  });
});

describe('while the address does not answer', () => {
  const dead = () => (socket: Socket) => void socket.destroy();

  test('the last keys hold for a day, and then nobody is proved and that is said', async () => {
    const { published, url } = await address();
    const { ready, keySet, clock } = await open(url);
    await ready;
    published.answer = dead();
    const verifier = createTokenVerifier({ keySet, issuer, audience, clock });
    const goodNowMs = clock.nowMs();
    const token = (nowMs: number) => signed(first, headerOf(first), claimsAt(nowMs));
    expect((await verifier.verify(token(goodNowMs + goodForMs), { nowMs: goodNowMs + goodForMs })).evidence.state).toBe('verified');
    const later = goodNowMs + goodForMs + 1;
    expect((await verifier.verify(token(goodNowMs + goodForMs), { nowMs: later })).evidence).toEqual({ state: 'keys_stale' });
    expect((await verifier.verify(token(later), { nowMs: later })).evidence).toEqual({ state: 'keys_stale' });
    // What is no token at all needs no key to be refused.
    expect((await verifier.verify('hello', { nowMs: later })).evidence).toEqual({ state: 'invalid' });
  });

  test('a start goes by the keys that were kept, for what is left of their day', async () => {
    const { published, url } = await address();
    const before = await open(url);
    await before.ready;
    await before.dispose();
    published.answer = dead();
    const { keySet, ready, clock } = await open(url, { directory: before.directory });
    await ready;
    expect(keySet.find('first')).toBeDefined();
    expect([keySet.isStale(clock.nowMs() + goodForMs), keySet.isStale(clock.nowMs() + goodForMs + 1)]).toEqual([false, true]);
  });

  test('a start without kept keys serves all the same, and nobody is proved', async () => {
    const { published, url } = await address(dead());
    const opened = await open(url);
    await opened.ready;
    const { keySet, clock, told } = opened;
    expect(keySet.isStale(clock.nowMs())).toBe(true);
    expect(told).toEqual([{ kind: 'unavailable', why: 'connection_reset' }]);
    published.answer = publishing(first);
    await refreshed(opened, 5_000);
    await until(() => told.length === 3);
    expect(told.slice(1)).toEqual([{ kind: 'replaced' }, { kind: 'available' }]);
    expect(keySet.isStale(clock.nowMs())).toBe(false);
  });

  test('kept keys that are damaged, or of another address, are none', async () => {
    const { published, url } = await address();
    const before = await open(url);
    await before.ready;
    await before.dispose();
    published.answer = dead();
    const path = join(before.directory, keptKeySetName);
    const kept = await readFile(path);
    const other = await open(`${url}?other`, { directory: before.directory });
    await other.ready;
    expect(other.keySet.find('first')).toBeUndefined();
    for (const at of [0, 40, kept.length - 5]) {
      const damaged = Buffer.from(kept);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await writeFile(path, damaged);
      const after = await open(url, { directory: before.directory });
      await after.ready;
      expect(after.keySet.find('first')).toBeUndefined();
    }
  });
});
