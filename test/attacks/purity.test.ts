/**
 * Cache purity: of two requests that a cache cannot tell apart, with everything else different, both answers are the same to the last
 * byte, or at least one may not be kept.
 */
import { expect, it } from 'vitest';
import { seed } from '../oracle/runs.ts';
import { agreed, headerOf, scene, signed } from './attack.ts';
import { chanceFrom } from './chance.ts';

const pairs = 300;

const urls = [
  '/v1/decide?page=home',
  '/v1/decide?page=home&zones=hero,offer_rail&country=DE&device=mobile',
  '/v1/decide?zones=offer_rail',
  '/v1/decide?page=home&audiences=newsletter',
  '/v1/decide?page=nowhere',
  '/v1/decide?page=home&country=',
  '/v1/profiles/person-7f3a9c',
  '/v1/nothing',
  '/openapi.json',
  '/.well-known/gpc.json',
] as const;
const values = [
  '1',
  'evil.example',
  'FR',
  'a=b; c=d',
  'bytes=0-0',
  'W/"x"',
  'gzip',
  'text/html',
  '/v1/profiles/x',
  '203.0.113.9',
  'no-cache',
  'null',
] as const;
const names = [
  'accept',
  'accept-encoding',
  'accept-language',
  'cache-control',
  'cookie',
  'device-memory',
  'dnt',
  'dpop',
  'forwarded',
  'from',
  'if-modified-since',
  'pragma',
  'range',
  'referer',
  'save-data',
  'sec-ch-ua',
  'sec-gpc',
  'stepwell-deadline-ms',
  'tracestate',
  'true-client-ip',
  'user-agent',
  'via',
  'x-edge-consent',
  'x-edge-segment',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-original-url',
] as const;

it(`${pairs} pairs of requests that share an address and nothing else`, async () => {
  console.log(`pairs from seed ${seed} (FC_SEED)`);
  const chance = chanceFrom(seed);
  const at = await scene();
  const headers = (): Record<string, string> =>
    Object.fromEntries(Array.from({ length: chance.below(8) }, () => [chance.oneOf(names), chance.oneOf(values)]));
  let shared = 0;
  for (let pair = 0; pair < pairs; pair += 1) {
    const url = chance.oneOf(urls);
    const one = await at.send('GET', url, undefined, headers());
    await at.store.putProfile(`somebody-${pair}`, { attributes: { loyalty: chance.oneOf(['none', 'gold']) }, audiences: [] }, 60);
    at.clock.advance(chance.below(1000));
    const other = await at.send('GET', url, undefined, headers());
    const mayKeep = [one, other].every(({ headers: { 'cache-control': said } }) => !/no-store/.test(String(said)));
    if (!mayKeep) continue;
    shared += 1;
    expect(one.headers.vary, url).toBeUndefined();
    expect([one.statusCode, one.payload, one.headers.etag, one.headers['cache-control']], url).toEqual([
      other.statusCode,
      other.payload,
      other.headers.etag,
      other.headers['cache-control'],
    ]);
    for (const { headers: said } of [one, other]) {
      for (const name of ['set-cookie', 'no-vary-search', 'cache-status', 'surrogate-control', 'cdn-cache-control']) {
        expect(said, url).not.toHaveProperty(name);
      }
    }
  }
  expect(shared).toBeGreaterThan(pairs / 10);
});

it('headers and bodies say the same about keeping, whoever asks for what', async () => {
  const at = await scene();
  const token = signed(at.key, headerOf(at.key), at.claims());
  const scopesOf = (answer: { json(): { zones: readonly { cache: { scope: string; key: string | null; tags: readonly string[] } }[] } }) =>
    answer.json().zones.map(({ cache }) => cache);
  for (const body of [
    { page: 'home' },
    { page: 'home', identity: { token }, consent: agreed },
    { page: 'home', identity: { token: 'x' }, consent: { useCases: { content_personalization: 'denied' } } },
    { zones: ['offer_rail'], explain: true },
  ]) {
    const answer = await at.send('POST', '/v1/decide', body);
    expect(answer.headers['cache-control']).toBe('private, no-store');
    for (const { scope, key, tags } of scopesOf(answer)) expect([['none', 'private'].includes(scope), key, tags]).toEqual([true, null, []]);
  }
  for (const url of urls.filter((one) => one.startsWith('/v1/decide'))) {
    const answer = await at.send('GET', url);
    if (answer.statusCode !== 200) continue;
    const said = String(answer.headers['cache-control']);
    const scopes = scopesOf(answer).map(({ scope }) => scope);
    expect(said.startsWith('public'), url).toBe(scopes.every((scope) => scope === 'public' || scope === 'segment'));
    expect(answer.headers.etag !== undefined, url).toBe(said.startsWith('public'));
  }
});
