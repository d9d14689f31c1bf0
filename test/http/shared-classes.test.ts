/** GET /v1/decide/classes: the table that an edge forms its queries by, as cacheable as the answers it leads to. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collapse } from '../../src/classes/collapse.ts';
import { classTable } from '../../src/contract/schemas.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { startService } from './service.ts';

const url = '/v1/decide/classes?page=home';

const manyAudiences = Array.from({ length: 30 }, (_, index) => `u${String(index).padStart(2, '0')}`);

/** The hero reads twenty of them, one by one, and the strip three at once. */
function ofManyAudiences(): Artefact {
  const rules = manyAudiences.slice(0, 17).map((name, index) => `{ when: '"${name}" in audiences', variant: v${index % 2} }`);
  const [a, b, c] = manyAudiences.slice(17, 20).map((name) => `"${name}" in audiences`);
  const { artefact, problems } = compilePolicy(
    `
stepwell: 1
policy: many
owner: tests
contextualWithoutSignal: true
audiences: { ${manyAudiences.map((name) => `${name}: { class: S0, edge: true }`).join(', ')} }
pages: { home: { zones: [hero, strip] } }
zones:
  hero: { kind: content, ladder: [ { tier: segment, choose: [ ${rules.join(', ')} ] }, &plain { tier: anonymous, variant: plain, approved: { by: Lead, on: 2026-01-01, until: 2099-01-01 } } ] }
  strip: { kind: content, ladder: [ { tier: segment, choose: [ { when: '${a} && (${b} || ${c})', variant: v0 } ] }, *plain ] }
variants: { v0: { content: 0, class: S0 }, v1: { content: 1, class: S0 }, plain: { content: 2, class: S0 } }
`,
    { file: 'many.yaml', nowMs: Date.UTC(2026, 10, 21) },
  );
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

describe('GET /v1/decide/classes', () => {
  it('leads every visitor to the answer that is theirs, at one address for each answer', async () => {
    const { app } = await startService();
    const response = await app.inject(url);
    expect(response.statusCode).toBe(200);
    expect(classTable.parse(response.json())).toEqual(response.json());
    const table = response.json();
    expect(table).toMatchObject({ format: 1, page: 'home', zones: null, merging: 'answers', because: null });
    expect(table.decision.queries).toEqual(['page=home', 'page=home&country=DE']);
    for (const [country, variant] of [
      ['DE', 'hero-dach'],
      ['CH', 'hero-dach'],
      ['FR', 'hero-standard'],
      ['', 'hero-standard'],
    ] as const) {
      const answer = await app.inject(`/v1/decide?${collapse(table, { country, device: 'mobile' })}`);
      expect(answer.json().zones[0].variant).toBe(variant);
    }
  });

  it('leads visitors who differ in many audiences to one address for each answer, and to one alone where no zone reads them', async () => {
    const artefact = ofManyAudiences();
    const { app } = await startService({ policy: { current: () => ({ artefact, stale: false }) } });
    const table = (await app.inject(url)).json();
    expect(classTable.parse(table)).toEqual(table);
    const zonesAt = async (query: string) => {
      const { zones } = (await app.inject(`/v1/decide?${query}`)).json();
      return JSON.stringify(zones.map((zone: { cache: object }) => ({ ...zone, cache: { ...zone.cache, key: null } })));
    };
    const queries = new Map<string, string>();
    for (const held of fc.sample(fc.subarray([...manyAudiences], { minLength: 1 }), { numRuns: 200, seed: 7 })) {
      const query = collapse(table, { audiences: held });
      const answer = await zonesAt(`page=home&audiences=${held.toSorted().join(',')}`);
      expect(await zonesAt(query)).toBe(answer);
      expect(queries.get(answer) ?? query).toBe(query);
      queries.set(answer, query);
    }
    expect([table.merging, queries.size]).toEqual(['answers', table.decision.queries.length]);
    const unread = manyAudiences.slice(20).map((name) => collapse(table, { audiences: [name] }));
    expect([...new Set(unread)]).toEqual([collapse(table, {})]);
  });

  it('is kept by shared caches for a minute, with the tags of its zones, and told again only when it is another', async () => {
    const { app } = await startService();
    const first = await app.inject(url);
    expect(first.headers).toMatchObject({
      'cache-control': 'public, max-age=0, s-maxage=60, stale-while-revalidate=0, stale-if-error=0',
      'surrogate-key': 'policy-retail stepwell zone-hero zone-offer_rail',
      'content-type': 'application/json; charset=utf-8',
    });
    const { etag } = first.headers;
    const held = await app.inject({ url, headers: { 'if-none-match': String(etag) } });
    expect([held.statusCode, held.payload, held.headers.etag]).toEqual([304, '', etag]);
    expect(held.headers['cache-control']).toBe(first.headers['cache-control']);
    expect(held.headers['surrogate-key']).toBe(first.headers['surrogate-key']);
    const one = await app.inject('/v1/decide/classes?zones=offer_rail');
    expect([one.json().decision.queries, one.headers['cache-tag']]).toEqual([
      ['zones=offer_rail'],
      'policy-retail,stepwell,zone-offer_rail',
    ]);
  });

  it.each([
    ['an attribute', 'page=home&country=DE'],
    ['an unknown parameter', 'page=home&utm_source=x'],
    ['a repeated parameter', 'page=home&page=home'],
    ['an unsorted list', 'zones=offer_rail,hero'],
    ['nothing', ''],
  ])('refuses %s', async (_, query) => {
    const response = await (await startService()).app.inject(`/v1/decide/classes?${query}`);
    expect([response.statusCode, response.headers['cache-control'], response.json().code]).toEqual([
      400,
      'private, no-store',
      'invalid_request',
    ]);
  });

  it('asks for a key where the answers do', async () => {
    const keys = { apiKeys: [] };
    expect((await (await startService(keys)).app.inject(url)).statusCode).toBe(401);
    expect((await (await startService({ ...keys, publicGet: true })).app.inject(url)).statusCode).toBe(200);
  });

  it('is never kept beyond the instant at which it becomes another', async () => {
    const { app, clock } = await startService({}, 'test/http/windows.yaml');
    const before = await app.inject(url);
    const endMs = Date.parse(before.json().validUntil);
    expect(before.json().decision.queries).toEqual(['page=home']);
    clock.advance(endMs - clock.nowMs() - 2500);
    expect((await app.inject(url)).headers['cache-control']).toContain('s-maxage=2,');
    clock.advance(2499);
    expect((await app.inject(url)).headers['cache-control']).toContain('s-maxage=0,');
    clock.advance(1);
    expect((await app.inject(url)).json().decision.queries).toEqual(['page=home', 'page=home&country=DE']);
  });

  it('tells who asks for too many tables at once to come again', async () => {
    const { app } = await startService({}, 'test/http/windows.yaml');
    const asked = Array.from(
      { length: 40 },
      (_, index) =>
        `/v1/decide/classes?zones=${[...Array(6).keys()]
          .filter((bit) => ((index + 1) >> bit) % 2 === 1)
          .map((bit) => `z${bit}`)
          .join(',')}`,
    );
    const answers = await Promise.all(asked.map((one) => app.inject(one)));
    const statuses = new Set(answers.map(({ statusCode }) => statusCode));
    expect(statuses).toEqual(new Set([200, 503]));
    const refused = answers.find(({ statusCode }) => statusCode === 503);
    expect([refused?.headers['retry-after'], refused?.headers['cache-control']]).toEqual(['1', 'private, no-store']);
    // Later there is room again.
    expect((await app.inject(asked.at(-1) ?? '')).statusCode).toBe(200);
  });
});
