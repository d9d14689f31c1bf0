/** What the client promises a page: an answer in any case, one answer for a view, and a visitor's word above both. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createStepwell } from '../../src/client/index.ts';
import type { PageAnswer, Stepwell, StepwellOptions } from '../../src/client/types.ts';
import { answer, held, memoryStorage, network, pack, policy, signer, startMs, zone } from './around.ts';

const url = 'https://decide.example';
const stored = (name: string): string => `stepwell:${url}:${name}`;
const open: Stepwell[] = [];
const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  process.on('unhandledRejection', onRejection);
});
afterEach(async () => {
  for (const client of open.splice(0)) client.close();
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onRejection);
  expect(rejections.splice(0)).toEqual([]);
});

function client(options: Partial<StepwellOptions> = {}): Stepwell {
  const made = createStepwell({
    url,
    artefact: false,
    fallbacks: pack,
    storage: memoryStorage(),
    fetch: network({}).fetch,
    ...options,
  });
  open.push(made);
  return made;
}

/** What is posted now arrives after all that was posted before it. */
async function everyTabHasHeard(): Promise<void> {
  const [from, to] = [new BroadcastChannel('of this test alone'), new BroadcastChannel('of this test alone')];
  await new Promise<unknown>((resolve) => {
    to.onmessage = resolve;
    from.postMessage('now');
  });
  for (const channel of [from, to]) channel.close();
}

function variants({ zones }: PageAnswer): readonly (string | null)[] {
  return zones.map(({ variant }) => variant);
}

const good = await signer();
const consented = { content_personalization: 'granted', offers: 'granted' } as const;

describe('now', () => {
  test('shows what is approved where nothing else is here', () => {
    const { source, zones } = client().now('home');
    expect(source).toBe('device');
    expect(zones.map(({ variant, via, tier }) => [variant, via, tier])).toEqual([
      ['hero-approved', 'fallback', 'anonymous'],
      ['rail-approved', 'fallback', 'anonymous'],
    ]);
  });

  test('answers for a page that nobody knows, with no zones', () => {
    expect(client().now('constructor').zones).toEqual([]);
    expect(client({ fallbacks: { zones: {} } }).now('home')).toEqual({ page: 'home', source: 'device', zones: [] });
  });

  test('keeps to what an edge rendered before it', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-other'), zone('rail', 'rail-other')) });
    const bootstrap = { zones: [zone('hero', 'hero-edge', { tier: 'segment' }) as never] };
    const stepwell = client({ bootstrap, fetch: routes.fetch });
    expect(stepwell.now('home', { zones: ['hero'] })).toMatchObject({
      source: 'edge',
      zones: [{ variant: 'hero-edge', via: 'bootstrap' }],
    });
    expect(variants(await stepwell.decide('home', { zones: ['hero'] }))).toEqual(['hero-edge']);
    expect(routes.asked).toEqual([]);
    expect(client({ bootstrap: { ...bootstrap, source: 'server' } }).now('home').zones[0]?.source).toBe('server');
  });

  test('reads what an edge wrote into the page, and nothing where that is damaged', () => {
    const document = { getElementById: (id: string) => (id === 'stepwell-bootstrap' ? { textContent: said } : null) };
    let said = JSON.stringify({ zones: [zone('hero', 'hero-edge'), { zone: 'rail' }, null, 7] });
    vi.stubGlobal('document', document);
    expect(variants(client().now('home'))).toEqual(['hero-edge', 'rail-approved']);
    said = '{"zones":[{';
    expect(variants(client().now('home'))).toEqual(['hero-approved', 'rail-approved']);
    vi.unstubAllGlobals();
  });
});

describe('decide', () => {
  test('shows what the service says in time', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-mine'), zone('rail', 'rail-mine')) });
    const stepwell = client({ fetch: routes.fetch, key: 'k', context: { country: 'DE', audiences: ['outlet'] }, gpc: true });
    stepwell.setConsent(consented);
    stepwell.identify({ token: 't' });
    const { source, zones } = await stepwell.decide('home', { budgetMs: 60, consent: { tcf: 'C' } });
    expect([source, ...zones.map(({ variant, via }) => `${variant} ${via}`)]).toEqual(['server', 'hero-mine answer', 'rail-mine answer']);
    expect(routes.asked[0]?.headers).toMatchObject({ Authorization: 'Bearer k', 'Sec-GPC': '1' });
    expect(routes.asked[0]?.body).toEqual({
      page: 'home',
      identity: { token: 't' },
      consent: { tcf: 'C', useCases: consented },
      context: { country: 'DE', audiences: ['outlet'] },
      deadlineMs: 60,
    });
  });

  test('answers at its budget, and keeps what comes later for the next view', async () => {
    const late = held<Response>();
    const storage = memoryStorage();
    const stepwell = client({ fetch: network({ '/v1/decide': () => late.promise }).fetch, storage });
    const deciding = stepwell.decide('home', { budgetMs: 50 });
    await vi.advanceTimersByTimeAsync(50);
    expect(variants(await deciding)).toEqual(['hero-approved', 'rail-approved']);
    late.release(answer(zone('hero', 'hero-late'), zone('rail', 'rail-late')));
    await vi.advanceTimersByTimeAsync(0);
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
    const nextPage = client({ storage }).now('home');
    expect(nextPage.zones.map(({ variant, via, source }) => `${variant} ${via} ${source}`)).toEqual([
      'hero-late kept server',
      'rail-late kept server',
    ]);
    expect(storage.items.has(stored('late'))).toBe(false);
  });

  test('shows a late answer in the next view of one document, and to nobody else', async () => {
    const late = held<Response>();
    const stepwell = client({ fetch: network({ '/v1/decide': () => late.promise }).fetch });
    stepwell.now('home');
    const deciding = stepwell.decide('home');
    await vi.advanceTimersByTimeAsync(0);
    expect(variants(await deciding)).toEqual(['hero-approved', 'rail-approved']);
    late.release(answer(zone('hero', 'hero-late'), zone('rail', 'rail-late')));
    await vi.advanceTimersByTimeAsync(0);
    stepwell.view();
    stepwell.identify({ token: 'of somebody else' });
    expect(variants(stepwell.now('home', { zones: ['rail'] }))).toEqual(['rail-approved']);
    stepwell.identify(null);
    expect(variants(stepwell.now('home', { zones: ['hero'] }))).toEqual(['hero-late']);
  });

  test('asks beside what was kept for this view, so that the next one has an answer as well', async () => {
    const storage = memoryStorage();
    let view = 0;
    const routes = network({ '/v1/decide': () => answer(zone('hero', `hero-${view}`), zone('rail', `rail-${view}`)) });
    const shown: unknown[] = [];
    for (view = 1; view <= 4; view++) {
      const stepwell = client({ storage, fetch: routes.fetch });
      shown.push(stepwell.now('home').zones[0]?.variant);
      await Promise.all([stepwell.decide('home'), vi.advanceTimersByTimeAsync(1)]);
    }
    expect(shown).toEqual(['hero-approved', 'hero-1', 'hero-2', 'hero-3']);
  });

  test('keeps a late answer for five minutes', async () => {
    const late = held<Response>();
    const storage = memoryStorage();
    const stepwell = client({ fetch: network({ '/v1/decide': () => late.promise }).fetch, storage });
    stepwell.now('home');
    await Promise.all([stepwell.decide('home'), vi.advanceTimersByTimeAsync(1)]);
    late.release(answer(zone('hero', 'hero-late')));
    await vi.advanceTimersByTimeAsync(1);
    expect(storage.items.has(stored('late'))).toBe(true);
    vi.setSystemTime(Date.now() + 300_001);
    expect(variants(client({ storage }).now('home'))).toEqual(['hero-approved', 'rail-approved']);
    expect(storage.items.has(stored('late'))).toBe(false);
  });

  test('asks once where many ask the same', async () => {
    const late = held<Response>();
    const routes = network({ '/v1/decide': () => late.promise });
    const stepwell = client({ fetch: routes.fetch });
    const all = Promise.all([1, 2, 3].map(() => stepwell.decide('home')));
    late.release(answer(zone('hero', 'hero-mine'), zone('rail', 'rail-mine')));
    await vi.advanceTimersByTimeAsync(0);
    expect((await all).map(variants)).toEqual(Array(3).fill(['hero-mine', 'rail-mine']));
    expect(routes.asked.length).toBe(1);
  });

  test('does not repeat what a server has rendered in this view', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-mine'), zone('rail', 'rail-mine')) });
    const stepwell = client({ fetch: routes.fetch });
    await stepwell.decide('home');
    await stepwell.decide('home');
    expect(routes.asked.length).toBe(1);
    expect(variants(stepwell.now('home'))).toEqual(['hero-mine', 'rail-mine']);
  });

  test('may change a zone that the service deferred, and no other', async () => {
    let round = 0;
    const routes = network({
      '/v1/decide': () => answer(zone('hero', `hero-${++round}`), zone('rail', `rail-${round}`, { render: round === 1 ? 'defer' : 'now' })),
    });
    const stepwell = client({ fetch: routes.fetch });
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-1', 'rail-1']);
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-1', 'rail-2']);
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-1', 'rail-2']);
  });

  test('suppresses what the service suppresses, and fills in a zone that an answer leaves out', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', '', { variant: null, render: 'suppress' })) });
    const { zones } = await client({ fetch: routes.fetch }).decide('home');
    expect(zones.map(({ variant, render }) => [variant, render])).toEqual([
      [null, 'suppress'],
      ['rail-approved', 'now'],
    ]);
  });

  test('knows no zones but those of the answer where it was given none', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-mine')) });
    const { fallbacks: _, ...none } = { fallbacks: pack };
    const stepwell = createStepwell({ url, artefact: false, storage: null, fetch: routes.fetch, ...none });
    open.push(stepwell);
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-mine']);
  });

  const garbage: Readonly<Record<string, () => Response>> = {
    'an empty body': () => new Response(''),
    'no JSON': () => new Response('<html>'),
    'JSON that is no answer': () => new Response('[null, 1]'),
    null: () => new Response('null'),
    'zones that are none': () =>
      new Response('{"zones":[null,1,"x",{"zone":"hero"},{"zone":"hero","variant":null,"tier":"user","render":"now"}]}'),
    'zones that are no list': () => new Response('{"zones":{"hero":1}}'),
    'an error': () => new Response(JSON.stringify({ zones: [zone('hero', 'hero-error')] }), { status: 503 }),
    'a refusal': () => new Response('{}', { status: 401 }),
    'no body at all': () => new Response(null, { status: 204 }),
    'more than anybody would show': () => new Response(`{"zones":[],"padding":"${'x'.repeat(600_000)}"}`),
  };
  test.each(Object.entries(garbage))('shows what is approved after %s', async (_what, respond) => {
    const stepwell = client({ fetch: network({ '/v1/decide': respond }).fetch });
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-approved', 'rail-approved']);
  });

  test('answers where fetch throws at once, never ends, or is none', async () => {
    const never = client({ fetch: () => new Promise(() => {}) }).decide('home', { budgetMs: 30 });
    await vi.advanceTimersByTimeAsync(30);
    expect(variants(await never)).toEqual(['hero-approved', 'rail-approved']);
    const throwing = (() => {
      throw new Error('blocked');
    }) as unknown as typeof fetch;
    expect(variants(await client({ fetch: throwing }).decide('home'))).toEqual(['hero-approved', 'rail-approved']);
    const none = 'no function' as unknown as typeof fetch;
    expect(variants(await client({ fetch: none }).decide('home'))).toEqual(['hero-approved', 'rail-approved']);
    await vi.advanceTimersByTimeAsync(10_000);
  });
});

describe('the artefact', () => {
  const routesOf = (jws: () => string, keys: readonly object[] = [], more: object = {}) =>
    network({
      '/v1/artefact': () => new Response(jws()),
      '/stepwell-keys.json': () => new Response(JSON.stringify({ keys })),
      ...more,
    });
  const online = { artefact: 'https://decide.example/v1/artefact', context: { country: 'DE' } } as const;

  test('decides as soon as it is verified, and again after it was kept', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const storage = memoryStorage();
    const routes = routesOf(() => jws, [jwk]);
    const first = client({ ...online, storage, fetch: routes.fetch });
    await first.refresh();
    expect(first.now('home').zones[0]).toMatchObject({ variant: 'hero-dach', via: 'artefact', source: 'device', tier: 'segment' });
    const offline = client({ ...online, storage });
    await offline.ready;
    expect(variants(offline.now('home'))).toEqual(['hero-dach', 'rail-approved']);
    // A browser's cache asks with the ETag; what is said of it is that nothing changed.
    await first.refresh();
    expect(variants(first.now('home'))).toEqual(['hero-dach', 'rail-approved']);
  });

  test('is asked for once where many ask, and not again for five minutes', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const storage = memoryStorage();
    const routes = routesOf(() => jws);
    const stepwell = client({ ...online, keys: [jwk], storage, fetch: routes.fetch });
    await Promise.all([stepwell.refresh(), stepwell.refresh()]);
    stepwell.view();
    await stepwell.ready;
    expect(routes.asked.length).toBe(1);
    vi.setSystemTime(Date.now() + 300_001);
    stepwell.view();
    await vi.waitFor(() => expect(routes.asked.length).toBe(2));
  });

  test('is taken away by a 410, and does not come back from the storage', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const storage = memoryStorage();
    let killed = false;
    const routes = routesOf(() => jws, [], { '/v1/artefact': () => (killed ? new Response('{}', { status: 410 }) : new Response(jws)) });
    const stepwell = client({ ...online, keys: [jwk], storage, fetch: routes.fetch });
    await stepwell.refresh();
    expect(stepwell.now('home', { zones: ['hero'] }).zones[0]?.via).toBe('artefact');
    killed = true;
    await stepwell.refresh();
    stepwell.view();
    expect(stepwell.now('home').zones[0]?.via).toBe('fallback');
    expect(storage.items.get(stored('artefact'))).not.toContain(jws);
    const next = client({ ...online, keys: [jwk], storage });
    await next.ready;
    expect(next.now('home').zones[0]?.via).toBe('fallback');
  });

  test('stays until it ends where the service breaks, and not a moment longer', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    let broken = false;
    const routes = routesOf(() => jws, [], { '/v1/artefact': () => (broken ? new Response('', { status: 500 }) : new Response(jws)) });
    const stepwell = client({ ...online, keys: [jwk], fetch: routes.fetch });
    await stepwell.refresh();
    broken = true;
    await stepwell.refresh();
    expect(stepwell.now('home').zones[0]?.via).toBe('artefact');
    vi.setSystemTime(startMs + 86_400_000);
    stepwell.view();
    expect(stepwell.now('home').zones[0]?.via).toBe('fallback');
  });

  const second = startMs / 1000;
  const refused: readonly { readonly what: string; readonly jws: () => Promise<string> }[] = [
    { what: 'a changed payload', jws: async () => (await good.sign(policy)).replace(/\.[^.]{8}/, '.eyJmb3Jn') },
    { what: 'a changed signature', jws: async () => (await good.sign(policy)).replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')) },
    { what: 'no signature', jws: async () => (await good.sign(policy)).replace(/[^.]*$/, '') },
    { what: 'another key under the same id', jws: async () => (await signer()).sign(policy) },
    { what: 'a key that nobody published', jws: async () => (await signer('k2')).sign(policy) },
    { what: 'another algorithm', jws: () => good.sign(policy, {}, { alg: 'none' }) },
    { what: 'another purpose', jws: () => good.sign(policy, {}, { typ: 'JWT' }) },
    { what: 'an artefact that is over', jws: () => good.sign(policy, { nbf: second - 10, exp: second }) },
    { what: 'an artefact that has not begun', jws: () => good.sign(policy, { iat: second + 601 }) },
    { what: 'an artefact without an end', jws: () => good.sign(policy, { exp: undefined as never }) },
    { what: 'an artefact for longer than the service signs one', jws: () => good.sign(policy, { exp: second + 8 * 86_400 }) },
    { what: 'another format', jws: () => good.sign({ ...policy, format: 2 as 1 }) },
    { what: 'no artefact', jws: async () => 'ey' },
    { what: 'an empty one', jws: async () => '' },
  ];
  test.each(refused)('is not taken: $what', async ({ jws }) => {
    const text = await jws();
    const stepwell = client({ ...online, fetch: routesOf(() => text, [good.jwk]).fetch });
    await stepwell.refresh();
    expect(stepwell.now('home').zones.map(({ via }) => via)).toEqual(['fallback', 'fallback']);
    // The guard can fail: the same client takes the good one.
    const whole = await good.sign(policy);
    const other = client({ ...online, fetch: routesOf(() => whole, [good.jwk]).fetch });
    await other.refresh();
    expect(other.now('home').zones[0]?.via).toBe('artefact');
  });

  test('is not taken where it is older than one that was seen, and a newer one is', async () => {
    let jws = await good.sign({ ...policy, revision: 'r2' }, { iat: second + 10 });
    const storage = memoryStorage();
    const stepwell = client({ ...online, keys: [good.jwk], storage, fetch: routesOf(() => jws).fetch });
    await stepwell.refresh();
    const older = { ...policy, zones: {}, pages: { home: [] } };
    jws = await good.sign(older, { iat: second });
    await client({ ...online, keys: [good.jwk], storage, fetch: routesOf(() => jws).fetch }).refresh();
    const next = client({ ...online, keys: [good.jwk], storage });
    await next.ready;
    expect(next.now('home').zones[0]?.via).toBe('artefact');
  });

  test('that another tab was told to forget does not come back with an answer that was on its way', async () => {
    const storage = memoryStorage();
    const jws = await good.sign(policy);
    for (const status of [200, 503]) {
      const slow = held<Response>();
      const asking = network({ '/v1/artefact': () => slow.promise });
      const tab = client({ ...online, keys: [good.jwk], storage, fetch: asking.fetch });
      const asked = tab.refresh();
      await vi.waitFor(() => expect(asking.asked.length).toBe(1));
      const gone = network({ '/v1/artefact': () => new Response('{}', { status: 410 }) });
      vi.setSystemTime(Date.now() + 1);
      await client({ ...online, keys: [good.jwk], storage, fetch: gone.fetch }).refresh();
      slow.release(new Response(jws, { status }));
      await asked;
      const next = client({ ...online, keys: [good.jwk], storage });
      await next.ready;
      expect(next.now('home').zones[0]?.via, `${status}`).toBe('fallback');
      await client({ ...online, keys: [good.jwk], storage, fetch: routesOf(() => jws).fetch }).refresh();
    }
  });

  test('is had by each of two tabs that ask at once, and by a third that another one asked for', async () => {
    const storage = memoryStorage();
    const jws = await good.sign(policy);
    const [one, two] = [held<Response>(), held<Response>()];
    const tabOf = (coming: Promise<Response>) => {
      const asking = network({ '/v1/artefact': () => coming });
      return { asking, tab: client({ ...online, keys: [good.jwk], storage, fetch: asking.fetch }) };
    };
    const tabs = [tabOf(one.promise), tabOf(two.promise)];
    await vi.waitFor(() => expect(tabs.map(({ asking }) => asking.asked.length)).toEqual([1, 1]));
    const third = client({ ...online, keys: [good.jwk], storage });
    await third.ready;
    vi.setSystemTime(Date.now() + 1);
    one.release(new Response(jws));
    await tabs[0]?.tab.refresh();
    two.release(new Response(jws));
    await tabs[1]?.tab.refresh();
    for (const { tab } of tabs) expect(tab.now('home').zones[0]?.via).toBe('artefact');
    await vi.waitFor(() => {
      third.view();
      expect(third.now('home').zones[0]?.via).toBe('artefact');
    });
  });

  test('that another tab was told to forget is gone with the next view, though it was asked for lately', async () => {
    const storage = memoryStorage();
    const jws = await good.sign(policy);
    const tab = client({ ...online, keys: [good.jwk], storage, fetch: routesOf(() => jws).fetch });
    await tab.refresh();
    expect(tab.now('home').zones[0]?.via).toBe('artefact');
    const gone = network({ '/v1/artefact': () => new Response('{}', { status: 410 }) });
    await client({ ...online, keys: [good.jwk], storage, fetch: gone.fetch }).refresh();
    tab.view();
    await vi.waitFor(() => {
      tab.view();
      expect(tab.now('home').zones[0]?.via).toBe('fallback');
    });
  });

  test('is verified again when it comes out of the storage', async () => {
    const storage = memoryStorage();
    const jws = await good.sign(policy);
    await client({ ...online, keys: [good.jwk], storage, fetch: routesOf(() => jws).fetch }).refresh();
    const text = storage.items.get(stored('artefact')) ?? '';
    const forged = await (await signer()).sign(policy);
    storage.items.set(stored('artefact'), text.replace(jws, forged));
    const stepwell = client({ ...online, keys: [good.jwk], storage });
    await stepwell.ready;
    expect(stepwell.now('home').zones[0]?.via).toBe('fallback');
  });

  test('is none where there is no crypto', async () => {
    const jws = await good.sign(policy);
    vi.stubGlobal('crypto', undefined);
    const stepwell = client({ ...online, keys: [good.jwk], fetch: routesOf(() => jws).fetch });
    await stepwell.refresh();
    expect(stepwell.now('home').zones[0]?.via).toBe('fallback');
    vi.unstubAllGlobals();
  });

  test('shows an offer once on a page, whoever decided about it', async () => {
    const offer = { variant: 'rail-shoes', worth: 1 };
    const ladder = [
      { tier: 'segment' as const, open: true as const, offers: ['o1'] },
      { tier: 'anonymous' as const, rules: [{ variant: 'rail-approved' }] },
    ];
    const jws = await good.sign({
      ...policy,
      offers: { o1: offer },
      zones: { ...policy.zones, rail: { kind: 'offer', criticality: 0, ladder } },
    });
    const fetching = routesOf(() => jws).fetch;
    const alone = client({ ...online, keys: [good.jwk], fetch: fetching });
    await alone.refresh();
    expect(alone.now('home').zones[1]?.offer).toBe('o1');
    const bootstrap = { zones: [zone('hero', 'rail-shoes', { offer: 'o1' }) as never] };
    const stepwell = client({ ...online, keys: [good.jwk], fetch: fetching, bootstrap });
    await stepwell.refresh();
    expect(stepwell.now('home').zones.map(({ offer: id }) => id)).toEqual(['o1', null]);
  });
});

describe('signals', () => {
  async function withArtefact(options: Partial<StepwellOptions> = {}): Promise<Stepwell> {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const fetching = options.fetch ?? network({ '/v1/artefact': () => new Response(jws) }).fetch;
    const stepwell = client({ artefact: 'https://decide.example/v1/artefact', keys: [jwk], ...options, fetch: fetching });
    await stepwell.refresh();
    return stepwell;
  }

  test('select on the device, with consent alone', async () => {
    const stepwell = await withArtefact();
    stepwell.signals.saw('shoes');
    expect(stepwell.signals.all()).toBeNull();
    stepwell.setConsent({ content_personalization: 'granted' });
    stepwell.signals.saw('shoes');
    stepwell.signals.saw('bags');
    stepwell.signals.saw('shoes');
    expect(stepwell.signals.all()).toMatchObject({ recent_categories: ['shoes', 'bags'], last_category: 'shoes', visits: 1 });
    expect(stepwell.now('home').zones[1]).toMatchObject({ variant: 'rail-shoes', tier: 'session', source: 'device' });
  });

  test('are never sent', async () => {
    const routes = network({ '/v1/decide': () => answer() });
    const stepwell = client({ fetch: routes.fetch });
    stepwell.setConsent(consented);
    stepwell.signals.saw('canary-category');
    stepwell.signals.set('preference', 'canary-preference');
    await stepwell.decide('home');
    stepwell.view();
    await stepwell.decide('home');
    expect(routes.asked.length).toBe(2);
    expect(JSON.stringify(routes.asked)).not.toContain('canary');
  });

  test('count visits, forget what is older than the last eight categories, and end after thirty days', () => {
    const storage = memoryStorage();
    const stepwell = client({ storage });
    stepwell.setConsent(consented);
    for (let index = 0; index < 12; index++) stepwell.signals.saw(`c${index}`);
    stepwell.signals.set('preference', ['sale']);
    expect(stepwell.signals.all()).toMatchObject({ visits: 1, preference: ['sale'] });
    expect(stepwell.signals.all()?.recent_categories).toEqual(['c11', 'c10', 'c9', 'c8', 'c7', 'c6', 'c5', 'c4']);
    vi.setSystemTime(Date.now() + 1_800_001);
    expect(stepwell.signals.all()?.visits).toBe(2);
    stepwell.signals.set('preference', undefined);
    expect(stepwell.signals.all()).not.toHaveProperty('preference');
    vi.setSystemTime(Date.now() + 31 * 86_400_000);
    expect(client({ storage }).signals.all()).toMatchObject({ visits: 1, recent_categories: [] });
  });

  test('go with consent, in every tab, and what was selected by them is not shown any longer', async () => {
    const storage = memoryStorage();
    const heard = vi.fn();
    const stepwell = await withArtefact({ storage, onWithdrawal: heard });
    const other = client({ storage });
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    expect(stepwell.now('home').zones[1]?.variant).toBe('rail-shoes');
    other.setConsent({ content_personalization: 'denied', offers: 'denied' });
    expect(stepwell.now('home').zones[1]?.variant).toBe('rail-approved');
    expect(storage.items.has(stored('signals'))).toBe(false);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  test('hear of a withdrawal in another tab that shares no storage', async () => {
    vi.useRealTimers();
    vi.stubGlobal('document', { getElementById: () => null });
    const heard = vi.fn();
    const stepwell = client({ onWithdrawal: heard });
    const other = client();
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    other.setConsent({ content_personalization: 'denied' });
    await vi.waitFor(() => expect(heard).toHaveBeenCalled());
    expect(stepwell.signals.all()).toBeNull();
    vi.unstubAllGlobals();
  });
});

describe('a withdrawal', () => {
  test('takes back what is on its way and what waits for the next view', async () => {
    const late = held<Response>();
    const storage = memoryStorage();
    const stepwell = client({ fetch: network({ '/v1/decide': () => late.promise }).fetch, storage });
    stepwell.setConsent(consented);
    const deciding = stepwell.decide('home', { budgetMs: 1000 });
    stepwell.setConsent({ content_personalization: 'denied' });
    late.release(answer(zone('hero', 'hero-mine'), zone('rail', 'rail-mine')));
    await vi.advanceTimersByTimeAsync(0);
    expect(variants(await deciding)).toEqual(['hero-approved', 'rail-approved']);
    expect(storage.items.has(stored('late'))).toBe(false);
    stepwell.view();
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
  });

  test('takes back what was rendered for the person, and leaves what everybody gets', async () => {
    const zones = [zone('hero', 'hero-mine'), zone('rail', 'rail-other', { tier: 'anonymous' })];
    const stepwell = client({ fetch: network({ '/v1/decide': () => answer(...zones) }).fetch });
    stepwell.setConsent(consented);
    await stepwell.decide('home');
    stepwell.setConsent({});
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-other']);
  });

  test('is told to the service for the session, once, also after a time without a network', async () => {
    const storage = memoryStorage();
    const offline = client({ storage });
    offline.identify({ sessionId: 's1.a/b' });
    offline.setConsent(consented);
    offline.setConsent({ content_personalization: 'denied', contextual_content: 'denied', offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    expect(storage.items.get(stored('queue'))).toContain('s1.a/b');
    const routes = network({ '/withdrawals': () => new Response(null, { status: 204 }) });
    const online = client({ storage, fetch: routes.fetch });
    await vi.waitFor(() => expect(routes.asked.length).toBe(1));
    expect(routes.asked[0]).toMatchObject({
      path: '/v1/sessions/s1.a%2Fb/withdrawals',
      method: 'POST',
      body: { useCases: ['content_personalization', 'offers'] },
    });
    online.identify({ sessionId: 's1.a/b' });
    online.setConsent({ content_personalization: 'denied', contextual_content: 'denied', offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    expect(routes.asked.length).toBe(1);
    expect(storage.items.get(stored('queue'))).not.toContain('s1.a/b');
  });

  test('is told to the service also where somebody wrote nonsense into the queue', async () => {
    const long = `[["${'x'.repeat(9_000)}",[]]]`;
    for (const nonsense of [long, '[null]', '[5]', '[{"a":1}]', '[["\\ud800",[]]]', '[["s",{}]]', '[[]]']) {
      const storage = memoryStorage();
      storage.items.set(stored('queue'), `{"at":${startMs},"value":${nonsense}}`);
      const routes = network({
        '/mine/withdrawals': () => new Response(null, { status: 204 }),
        '/withdrawals': ({ path }) => new Response(null, { status: path.length > 8_192 ? 431 : 400 }),
      });
      const stepwell = client({ storage, fetch: routes.fetch });
      stepwell.identify({ sessionId: 'mine' });
      stepwell.setConsent({ offers: 'denied' });
      await vi.advanceTimersByTimeAsync(0);
      expect(
        routes.asked.map(({ path }) => path),
        nonsense,
      ).toContain('/v1/sessions/mine/withdrawals');
      expect(storage.items.get(stored('queue')), nonsense).toContain('[]');
    }
  });

  test('is none where what was denied is not said any longer', async () => {
    const heard = vi.fn();
    const routes = network({ '/withdrawals': () => new Response(null, { status: 204 }) });
    const stepwell = client({ fetch: routes.fetch, onWithdrawal: heard });
    stepwell.identify({ sessionId: 's' });
    stepwell.setConsent({ offers: 'denied' });
    stepwell.setConsent({});
    await vi.advanceTimersByTimeAsync(0);
    expect([heard.mock.calls.length, routes.asked.length]).toEqual([1, 1]);
  });

  test('of everything, kept from before, takes off what a page from a cache shows of the person', () => {
    for (const [said, expected] of [
      [{ content_personalization: 'denied', offers: 'denied' }, 'hero-approved'],
      [{ content_personalization: 'granted', offers: 'denied' }, 'hero-mine'],
      [{}, 'hero-mine'],
    ] as const) {
      const [heard, storage] = [vi.fn(), memoryStorage()];
      client({ storage }).setConsent(said);
      const stepwell = client({ storage, onWithdrawal: heard, bootstrap: { zones: [zone('hero', 'hero-mine') as never] } });
      expect(variants(stepwell.now('home'))[0]).toBe(expected);
      expect(heard.mock.calls.length).toBe(expected === 'hero-mine' ? 0 : 1);
    }
  });

  test('waits while the service breaks, and is dropped where it is refused for good', async () => {
    let status = 503;
    const storage = memoryStorage();
    const routes = network({ '/withdrawals': () => new Response(null, { status }) });
    const stepwell = client({ storage, fetch: routes.fetch });
    stepwell.identify({ sessionId: 'one' });
    stepwell.setConsent({ offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    expect(storage.items.get(stored('queue'))).toContain('one');
    status = 404;
    client({ storage, fetch: routes.fetch });
    await vi.advanceTimersByTimeAsync(0);
    expect(storage.items.get(stored('queue'))).not.toContain('one');
  });
});

describe('where something goes wrong', () => {
  test('a first no takes off what is personal, whatever consent it came by', async () => {
    const heard = vi.fn();
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-mine')) });
    const stepwell = client({ fetch: routes.fetch, onWithdrawal: heard });
    expect(variants(await stepwell.decide('home', { consent: { tcf: 'C' } }))).toEqual(['hero-mine', 'rail-approved']);
    stepwell.setConsent({ content_personalization: 'denied' });
    expect(heard).toHaveBeenCalledTimes(1);
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
  });

  test('what is no longer said is told to the service as well', async () => {
    const routes = network({ '/withdrawals': () => new Response(null, { status: 204 }) });
    const stepwell = client({ fetch: routes.fetch });
    stepwell.identify({ sessionId: 's' });
    stepwell.setConsent(consented);
    stepwell.setConsent({});
    await vi.advanceTimersByTimeAsync(0);
    expect(routes.asked[0]?.body).toEqual({ useCases: ['content_personalization', 'offers'] });
  });

  test('a page whose own callback throws has its answers, the service its withdrawal, and the page its error', async () => {
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    const routes = network({ '/withdrawals': () => new Response(null, { status: 204 }) });
    const error = new Error('a fault of the page');
    const throwing = (): never => {
      throw error;
    };
    const stepwell = client({ fetch: routes.fetch, onWithdrawal: throwing });
    stepwell.identify({ sessionId: 's' });
    stepwell.setConsent(consented);
    stepwell.setConsent({ offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    expect(routes.asked.length).toBe(1);
    expect(reported).toHaveBeenCalledExactlyOnceWith(error);
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
    vi.unstubAllGlobals();
  });

  test('a withdrawal is not lost where another one was told, or everything was forgotten meanwhile', async () => {
    const first = held<Response>();
    const routes = network({
      '/s1/withdrawals': () => first.promise,
      '/s2/withdrawals': () => new Response(null, { status: 503 }),
    });
    const storage = memoryStorage();
    const stepwell = client({ fetch: routes.fetch, storage });
    stepwell.identify({ sessionId: 's1' });
    stepwell.setConsent({ offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    stepwell.forget();
    stepwell.identify({ sessionId: 's2' });
    stepwell.setConsent({ offers: 'denied' });
    first.release(new Response(null, { status: 204 }));
    await vi.advanceTimersByTimeAsync(0);
    expect(routes.asked.map(({ path }) => path)).toEqual(['/v1/sessions/s1/withdrawals', '/v1/sessions/s2/withdrawals']);
    expect(storage.items.get(stored('queue'))).toContain('s2');
    stepwell.view();
    await vi.advanceTimersByTimeAsync(0);
    expect(routes.asked.length).toBe(3);
  });

  test('a client that was closed still takes consent back, and forgets', async () => {
    vi.stubGlobal('document', { getElementById: () => null });
    const [heard, storage] = [vi.fn(), memoryStorage()];
    const stepwell = client({ storage, onWithdrawal: heard });
    stepwell.setConsent(consented);
    stepwell.close();
    stepwell.setConsent({ ...consented, offers: 'denied' });
    expect(heard).toHaveBeenCalledTimes(1);
    expect(stepwell.signals.all()).not.toBeNull();
    expect(storage.items.size).toBeGreaterThan(0);
    stepwell.forget();
    expect(stepwell.signals.all()).toBeNull();
    expect([...storage.items.keys()]).toEqual([]);
    vi.unstubAllGlobals();
  });

  test('clients of one process that is no page have nothing to do with each other', async () => {
    vi.useRealTimers();
    const heard = vi.fn();
    const [one, other] = [client({ storage: null, onWithdrawal: heard }), client({ storage: null })];
    one.setConsent(consented);
    other.setConsent({ offers: 'denied' });
    await everyTabHasHeard();
    expect(heard).not.toHaveBeenCalled();
    expect(one.signals.all()).not.toBeNull();
  });

  test('a deferred zone that was written into the page is asked for again', async () => {
    const routes = network({ '/v1/decide': () => answer(zone('hero', 'hero-other'), zone('rail', 'rail-mine')) });
    const zones = [zone('hero', 'hero-edge'), zone('rail', 'rail-later', { render: 'defer' })] as never[];
    const stepwell = client({ fetch: routes.fetch, bootstrap: { zones } });
    expect(variants(stepwell.now('home'))).toEqual(['hero-edge', 'rail-later']);
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-edge', 'rail-mine']);
  });

  test('another page of the view may show the same offer', async () => {
    const routes = network({
      '/v1/decide': ({ body }) => answer(zone(body.page === 'home' ? 'rail' : 'cart_rail', 'x', { offer: 'x' })),
    });
    const fallbacks = { pages: { home: ['rail'], cart: ['cart_rail'] }, zones: { rail: pack.zones.rail, cart_rail: pack.zones.rail } };
    const stepwell = client({ fetch: routes.fetch, fallbacks: fallbacks as never });
    expect(variants(await stepwell.decide('home'))).toEqual(['x']);
    expect(variants(await stepwell.decide('cart'))).toEqual(['x']);
  });

  test('what a view asked that is over stays nowhere in the next', async () => {
    const late = held<Response>();
    let round = 0;
    const routes = network({ '/v1/decide': () => (round++ === 0 ? late.promise : answer(zone('hero', 'hero-now'))) });
    const stepwell = client({ fetch: routes.fetch });
    const before = stepwell.decide('home', { budgetMs: 50 });
    stepwell.view({ country: 'AT' });
    await vi.advanceTimersByTimeAsync(50);
    await before;
    expect(variants(await stepwell.decide('home', { zones: ['hero'] }))).toEqual(['hero-now']);
    late.release(answer());
  });

  test.each([Number.NaN, -5, 0, 7.2, Number.POSITIVE_INFINITY, 2 ** 40])(
    'a budget of %s is one that the service takes',
    async (budgetMs) => {
      const routes = network({ '/v1/decide': () => answer() });
      await client({ fetch: routes.fetch }).decide('home', { budgetMs });
      const { deadlineMs } = routes.asked[0]?.body ?? {};
      expect(Number.isInteger(deadlineMs)).toBe(true);
      expect(deadlineMs).toBeGreaterThanOrEqual(0);
      expect(deadlineMs).toBeLessThanOrEqual(10_000);
    },
  );
});

describe('forget', () => {
  test('leaves nothing in the storage, and nothing that was on its way comes after it', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const [late, artefact] = [held<Response>(), held<Response>()];
    const storage = memoryStorage();
    const routes = network({ '/v1/decide': () => late.promise, '/v1/artefact': () => artefact.promise });
    const stepwell = client({ artefact: 'https://decide.example/v1/artefact', keys: [jwk], storage, fetch: routes.fetch });
    stepwell.identify({ token: 'secret', sessionId: 's' });
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    stepwell.setConsent({ content_personalization: 'granted', offers: 'denied' });
    const deciding = stepwell.decide('home', { budgetMs: 1000 });
    const refreshing = stepwell.refresh();
    expect(storage.items.size).toBeGreaterThan(2);
    stepwell.forget();
    late.release(answer(zone('hero', 'hero-mine')));
    artefact.release(new Response(jws));
    await vi.advanceTimersByTimeAsync(0);
    await refreshing;
    expect(variants(await deciding)).toEqual(['hero-approved', 'rail-approved']);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([...storage.items.keys()]).toEqual([]);
    expect(stepwell.signals.all()).toBeNull();
    await stepwell.decide('home', { zones: ['other'] });
    expect(JSON.stringify(routes.asked.at(-1))).not.toContain('secret');
  });

  test('leaves nothing of an answer to somebody who said nothing either', async () => {
    const [late, storage] = [held<Response>(), memoryStorage()];
    const stepwell = client({ storage, fetch: network({ '/v1/decide': () => late.promise }).fetch });
    const deciding = stepwell.decide('home', { budgetMs: 1000 });
    stepwell.forget();
    late.release(answer(zone('hero', 'hero-mine')));
    expect(variants(await deciding)).toEqual(['hero-approved', 'rail-approved']);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([...storage.items.keys()]).toEqual([]);
  });

  test('takes the artefact from the page as well, whether it was verified already or not', async () => {
    const { jwk, sign } = await signer();
    const jws = await sign(policy);
    const storage = memoryStorage();
    const here = { artefact: `${url}/v1/artefact`, keys: [jwk], context: { country: 'DE' }, storage };
    const tab = client({ ...here, fetch: network({ '/v1/artefact': () => new Response(jws) }).fetch });
    await tab.refresh();
    const another = client(here);
    another.forget();
    await another.ready;
    expect(another.now('home').zones[0]?.via).toBe('fallback');
    expect(tab.now('home').zones[0]?.via).toBe('artefact');
    tab.forget();
    await vi.waitFor(() => {
      tab.forget();
      expect(tab.now('home').zones[0]?.via).toBe('fallback');
    });
  });

  test('reaches the other tabs', async () => {
    vi.useRealTimers();
    vi.stubGlobal('document', { getElementById: () => null });
    const [one, another] = [memoryStorage(), memoryStorage()];
    const stepwell = client({ storage: one });
    client({ storage: another }).setConsent(consented);
    await new Promise((resolve) => setImmediate(resolve));
    stepwell.forget();
    await vi.waitFor(() => expect([...one.items, ...another.items]).toEqual([]));
    vi.unstubAllGlobals();
  });
});

describe('a storage', () => {
  const broken = (): never => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  };

  test('that throws is as if there were none, and the page goes on', async () => {
    const storage = { getItem: broken, setItem: broken, removeItem: broken };
    const stepwell = client({ storage });
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    expect(stepwell.signals.all()).toMatchObject({ last_category: 'shoes' });
    expect(variants(await stepwell.decide('home'))).toEqual(['hero-approved', 'rail-approved']);
    stepwell.setConsent({});
    expect(stepwell.signals.all()).toBeNull();
    stepwell.forget();
  });

  test('that throws when it is only looked at is none', () => {
    vi.stubGlobal('document', { getElementById: () => null });
    vi.stubGlobal('localStorage', null);
    Object.defineProperty(globalThis, 'localStorage', { configurable: true, get: broken });
    const { storage: _, ...options } = { url: '', artefact: false as const, fallbacks: pack, storage: null };
    const stepwell = createStepwell(options);
    open.push(stepwell);
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
    vi.unstubAllGlobals();
  });

  test('that is full keeps what it had, and a withdrawal holds all the same', () => {
    const storage = memoryStorage();
    const stepwell = client({ storage });
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    storage.setItem = broken;
    stepwell.setConsent({ content_personalization: 'denied', offers: 'denied' });
    expect(stepwell.signals.all()).toBeNull();
    expect(storage.items.has(stored('signals'))).toBe(false);
  });

  test('that is wiped makes the visitor nobody', () => {
    const storage = memoryStorage();
    const stepwell = client({ storage });
    stepwell.setConsent(consented);
    stepwell.signals.saw('shoes');
    storage.items.clear();
    expect(stepwell.signals.all()).toBeNull();
    expect(variants(stepwell.now('home'))).toEqual(['hero-approved', 'rail-approved']);
  });

  test('is one for each service, also of one origin', async () => {
    const storage = memoryStorage();
    const routes = network({ '/withdrawals': () => new Response(null, { status: 503 }) });
    const here = client({ storage, fetch: routes.fetch });
    here.identify({ sessionId: 's' });
    here.setConsent(consented);
    here.signals.saw('shoes');
    here.setConsent({ offers: 'denied' });
    await vi.advanceTimersByTimeAsync(0);
    const heard = vi.fn();
    const routesThere = network({ '': () => new Response(null, { status: 204 }) });
    const there = client({ url: 'https://other.example', storage, fetch: routesThere.fetch, onWithdrawal: heard });
    there.now('home');
    await vi.advanceTimersByTimeAsync(0);
    expect([there.signals.all(), routesThere.asked, heard.mock.calls]).toEqual([null, [], []]);
  });

  test('that was written while the clock was a year ahead is nobody’s', () => {
    const storage = memoryStorage();
    vi.setSystemTime(startMs + 365 * 86_400_000);
    client({ storage }).setConsent(consented);
    vi.setSystemTime(startMs);
    const stepwell = client({ storage });
    stepwell.signals.saw('shoes');
    expect(stepwell.signals.all()).toBeNull();
  });

  test('that holds nonsense holds nothing', () => {
    for (const nonsense of [
      '',
      '{',
      'null',
      '7',
      '"x"',
      '[]',
      `{"at":${startMs}}`,
      `{"value":7,"at":${startMs}}`,
      `{"value":"x","at":${startMs}}`,
    ]) {
      const storage = memoryStorage();
      for (const name of ['consent', 'signals', 'artefact', 'late', 'queue']) storage.items.set(stored(name), nonsense);
      const stepwell = client({ storage });
      expect(variants(stepwell.now('home')), nonsense).toEqual(['hero-approved', 'rail-approved']);
      stepwell.setConsent(consented);
      stepwell.signals.saw('shoes');
    }
  });
});
