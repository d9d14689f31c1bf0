/**
 * An independent reader of RFC 9111 is shown every kind of answer and asked what a shared cache may do with it: that must be what the body's
 * `cache` says, and nothing at all for whatever is one visitor's.
 */
import fc from 'fast-check';
import CachePolicy from 'http-cache-semantics';
import { describe, expect, it } from 'vitest';
import { collapse } from '../../src/classes/collapse.ts';
import { compileClassesNow } from '../../src/classes/compile-classes.ts';
import { readSharedQuery } from '../../src/contract/shared-query.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import { queryOf } from '../../src/http/shared-headers.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { segmentPolicy, signals } from '../classes/segment-policy.ts';
import { policyDocument } from '../generate/document.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { toPolicyText } from '../oracle/document.ts';
import { startService } from './service.ts';

const seed = Number(process.env.STEPWELL_TEST_SEED ?? Date.now() % 2 ** 31);

type Headers = Record<string, string>;

/** As a cache sees it. */
interface Answer {
  readonly url: string;
  readonly requestHeaders: Headers;
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Whether it is still the answer so many milliseconds later. Absent: for ever. */
  readonly until?: (laterMs: number) => boolean;
}

const ofSharedOnly = [
  'etag',
  'last-modified',
  'expires',
  'surrogate-key',
  'cache-tag',
  'edge-cache-tag',
  'xkey',
  'surrogate-control',
  'cdn-cache-control',
];

/** What is wrong between what an answer says and what a cache may do with it, as sentences. */
function faultsOf(answer: Answer): readonly string[] {
  const { url, requestHeaders, status, headers, body } = answer;
  // A cache may make a GET of whatever it was asked.
  const request = { url, method: 'GET', headers: requestHeaders };
  const policy = new CachePolicy(request, { status, headers }, { shared: true });
  const mayKeepSeconds = status === 200 ? sharedSeconds(body) : null;
  if (headers['cache-control'] === undefined) return ['it does not say how it may be cached'];
  if (mayKeepSeconds === null) {
    const told = ofSharedOnly.filter((name) => headers[name] !== undefined).map((name) => `it carries ${name}`);
    return policy.storable() ? ['a shared cache may keep it', ...told] : told;
  }
  const faults: string[] = [];
  if (!policy.storable()) faults.push('a shared cache may not keep it');
  const freshSeconds = policy.maxAge();
  const graceMs = policy.timeToLive() - freshSeconds * 1000;
  if (freshSeconds > mayKeepSeconds) faults.push(`it is fresh for ${freshSeconds} s and says ${mayKeepSeconds} s`);
  if (graceMs > graceSeconds(body) * 1000) faults.push('it may be used longer than it says');
  if (freshSeconds < mayKeepSeconds && graceMs > 0) faults.push('it ends at an instant and may be used beyond');
  if (answer.until !== undefined) faults.push(...outlives(answer.until, freshSeconds));
  if (new CachePolicy(request, { status, headers }, { shared: false }).maxAge() !== 0) faults.push('a browser may keep it unasked');
  for (const name of ['cdn-cache-control', 'surrogate-control']) {
    // The older of the two knows no word for a request with a key: the CDN's configuration is that word.
    const asked = name === 'surrogate-control' ? { ...request, headers: {} } : request;
    const targeted = new CachePolicy(asked, { status, headers: { ...headers, 'cache-control': headers[name] ?? '' } }, { shared: true });
    if (targeted.maxAge() !== freshSeconds) faults.push(`${name} says ${targeted.maxAge()} s`);
  }
  return faults;
}

/** What a cache says while it is fresh must be what we would say. */
function outlives(isStillIt: (laterMs: number) => boolean, freshSeconds: number): readonly string[] {
  for (const second of [1, 2, 3, 4, 5, 10, 30, freshSeconds]) {
    if (second > 0 && second <= freshSeconds && !isStillIt(second * 1000 - 1))
      return [`it is fresh for ${freshSeconds} s and another one after ${second}`];
  }
  return [];
}

interface Zone {
  readonly cache: { readonly scope: string; readonly maxAgeSeconds: number; readonly degraded: boolean };
}

/** Null where the body says that it is not for a shared cache. */
function sharedSeconds(body: string): number | null {
  const { zones, decisionId } = JSON.parse(body) as { zones?: readonly Zone[]; decisionId?: string };
  const isShared = zones?.every(({ cache }) => !cache.degraded && (cache.scope === 'public' || cache.scope === 'segment'));
  return zones !== undefined && isShared === true && decisionId === undefined
    ? Math.min(...zones.map(({ cache }) => cache.maxAgeSeconds))
    : null;
}

function graceSeconds(body: string): number {
  const { zones } = JSON.parse(body) as { zones: readonly Zone[] };
  return zones.every(({ cache }) => cache.scope === 'public' && cache.maxAgeSeconds > 0) ? 300 : 0;
}

/** By the core itself, at a later instant. A key may be another one without the answer's being one. */
function stillIt(artefact: Artefact, url: string): (laterMs: number) => boolean {
  const question = readSharedQuery(queryOf(url), artefact, baseNowMs);
  const shown = (laterMs: number): string =>
    JSON.stringify(decide(artefact, { ...question, nowMs: baseNowMs + laterMs }, noEvidence).zones.map(({ cache: _, ...zone }) => zone));
  const first = shown(0);
  return (laterMs) => shown(laterMs) === first;
}

function isCut({ headers, body }: Answer): boolean {
  return Number(/s-maxage=(\d+)/.exec(headers['cache-control'] ?? '')?.[1]) < (sharedSeconds(body) ?? 0);
}

const generated = fc.oneof(policyDocument, segmentPolicy).map((document) => {
  return compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs }).artefact;
});
const callers: readonly Headers[] = [{}, { authorization: 'Bearer k' }, { cookie: 'sid=1' }, { 'cache-control': 'max-age=0' }];

/** A service whose policy changes under it. */
async function serviceOf() {
  const held: { artefact: Artefact | null } = { artefact: null };
  const current = () => (held.artefact === null ? null : { artefact: held.artefact, stale: false });
  const { app } = await startService({ policy: { current }, cdnHeaders: ['cdn-cache-control', 'surrogate-control'] });
  const ask = async (method: 'GET' | 'POST', url: string, requestHeaders: Headers, payload?: object): Promise<Answer> => {
    const response = await app.inject({ method, url, headers: requestHeaders, ...(payload === undefined ? {} : { payload }) });
    const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
    return { url, requestHeaders, status: response.statusCode, headers, body: response.payload };
  };
  return { held, ask };
}

describe('what a shared cache may do with an answer', () => {
  it('is what its body says, for every kind of answer of generated policies', async () => {
    console.log(`seed of the answers: ${seed}`);
    const { held, ask } = await serviceOf();
    const met = { shared: 0, cut: 0, personal: 0, errors: 0, revalidated: 0 };
    const holds = async (answer: Answer, kind: keyof typeof met) => {
      expect(faultsOf(answer), `${answer.url} ${answer.status}`).toEqual([]);
      met[kind]++;
    };
    await fc.assert(
      fc.asyncProperty(
        generated,
        fc.array(signals, { minLength: 2, maxLength: 4 }),
        fc.constantFrom(...callers),
        async (artefact, visitors, caller) => {
          held.artefact = artefact;
          if (artefact === null) return;
          const { table } = compileClassesNow(artefact, { page: 'home', zones: null, nowMs: baseNowMs });
          for (const visitor of visitors) {
            const url = `/v1/decide?${collapse(table, visitor)}`;
            const fresh = await ask('GET', url, caller);
            expect(fresh.status).toBe(200);
            await holds({ ...fresh, until: stillIt(artefact, url) }, 'shared');
            if (isCut(fresh)) met.cut++;
            await revalidates(fresh, await ask('GET', url, { ...caller, 'if-none-match': fresh.headers.etag ?? '' }));
            met.revalidated++;
          }
          for (const identity of [undefined, { deviceId: 'd-1' }, { token: 'x' }]) {
            for (const deadlineMs of [1, 60]) {
              const asked = { page: 'home', deadlineMs, ...(identity === undefined ? {} : { identity }) };
              await holds(await ask('POST', '/v1/decide', { ...caller, 'if-none-match': '*' }, asked), 'personal');
            }
          }
          for (const wrong of ['page=home&x=1', 'page=nowhere', '', 'zones=nowhere'])
            await holds(await ask('GET', `/v1/decide?${wrong}`, caller), 'errors');
          await holds(await ask('POST', '/v1/decide', caller, { page: 'home', nonsense: 1 }), 'errors');
          await holds(await ask('GET', '/v1/decide/home.css', caller), 'errors');
        },
      ),
      { seed, numRuns: 60, endOnFailure: true },
    );
    held.artefact = null;
    await holds(await ask('GET', '/v1/decide?page=home', {}), 'errors');
    console.log(`answers shown to the reader of RFC 9111: ${JSON.stringify(met)}`);
    const { cut, ...others } = met;
    expect(Math.min(...Object.values(others))).toBeGreaterThan(50);
    expect(cut).toBeGreaterThan(5);
  });

  /** A 304 keeps what is held as it is, and for as long again. */
  async function revalidates(fresh: Answer, again: Answer) {
    expect([again.status, again.body]).toEqual([304, '']);
    const request = { url: fresh.url, method: 'GET', headers: fresh.requestHeaders };
    const before = new CachePolicy(request, fresh, { shared: true });
    const { policy, modified } = before.revalidatedPolicy(request, again);
    expect([modified, policy.storable(), policy.maxAge()]).toEqual([false, true, before.maxAge()]);
    for (const name of ['cache-control', 'etag', 'surrogate-key', 'cache-tag', 'cdn-cache-control'])
      expect(again.headers[name]).toBe(fresh.headers[name]);
  }
});

describe('the guard of the answers', () => {
  const planted: readonly (readonly [string, 'GET' | 'POST' | 'wrong', (headers: Headers) => Headers])[] = [
    ['a shared answer that nobody may keep', 'GET', (headers) => ({ ...headers, 'cache-control': 'no-store' })],
    [
      'a shared answer kept a second longer',
      'GET',
      (headers) => ({ ...headers, 'cache-control': (headers['cache-control'] ?? '').replace('s-maxage=30', 's-maxage=31') }),
    ],
    [
      'a segment answer with a grace',
      'GET',
      (headers) => ({ ...headers, 'cache-control': (headers['cache-control'] ?? '').replace('stale-if-error=0', 'stale-if-error=300') }),
    ],
    ['a shared answer that a browser keeps', 'GET', (headers) => ({ ...headers, 'cache-control': 'public, max-age=30' })],
    ['a header for CDNs that says more', 'GET', (headers) => ({ ...headers, 'cdn-cache-control': 'max-age=60' })],
    ['a header for CDNs that is missing', 'GET', ({ 'surrogate-control': _, ...headers }) => headers],
    ['a private answer without instructions', 'POST', ({ 'cache-control': _, ...headers }) => headers],
    ['a private answer with an age', 'POST', (headers) => ({ ...headers, 'cache-control': 'max-age=60' })],
    ['a private answer with a validator', 'POST', (headers) => ({ ...headers, etag: '"x"' })],
    ['a private answer with a tag', 'POST', (headers) => ({ ...headers, 'surrogate-key': 'zone-hero' })],
    ['a private answer with word for CDNs', 'POST', (headers) => ({ ...headers, 'surrogate-control': 'max-age=60' })],
    ['an error that is public', 'wrong', (headers) => ({ ...headers, 'cache-control': 'public, s-maxage=30' })],
  ];

  it('sees an answer that outlives its window by a second, and one that is served beyond it', async () => {
    const { app } = await startService({ cdnHeaders: ['cdn-cache-control', 'surrogate-control'] });
    const url = '/v1/decide?page=home&country=DE';
    const response = await app.inject(url);
    const kept = (control: string): Answer => {
      const headers = {
        'cache-control': control,
        'cdn-cache-control': control,
        'surrogate-control': control.replace('s-maxage', 'max-age'),
      };
      return { url, requestHeaders: {}, status: 200, headers, body: response.payload, until: (laterMs) => laterMs < 12_000 };
    };
    expect(faultsOf(kept('public, max-age=0, s-maxage=12'))).toEqual([]);
    expect(faultsOf(kept('public, max-age=0, s-maxage=13'))).toEqual(['it is fresh for 13 s and another one after 13']);
    expect(faultsOf(kept('public, max-age=0, s-maxage=12, stale-while-revalidate=1'))).not.toEqual([]);
  });

  it.each(planted)('sees %s', async (_, kind, change) => {
    const { app } = await startService({ cdnHeaders: ['cdn-cache-control', 'surrogate-control'] });
    const url = kind === 'wrong' ? '/v1/decide?page=nowhere' : '/v1/decide?page=home&country=DE';
    const asked =
      kind === 'POST' ? { method: 'POST' as const, url: '/v1/decide', payload: { page: 'home' } } : { method: 'GET' as const, url };
    const response = await app.inject(asked);
    const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
    const answer = { url, requestHeaders: {}, status: response.statusCode, headers, body: response.payload };
    expect(faultsOf(answer)).toEqual([]);
    expect(faultsOf({ ...answer, headers: change(headers) }).length).toBeGreaterThan(0);
  });
});
