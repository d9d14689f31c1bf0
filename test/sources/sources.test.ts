/** What a policy may make the service ask, what stays open when a policy is replaced, and that nothing personal is ever said. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { guardedLookup, sparingly } from '../../src/sources/name-lookup.ts';
import { noSources, SourceProblem } from '../../src/sources/sources.ts';
import { throwAwayCertificate } from '../support/certificate.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { answerWith, artefactWith, askAbout, keeperFor, mapOf, plentyMs, profileSource, rawServer, sourceAt, tidyUp } from './scene.ts';

afterEach(tidyUp);

const known = { state: 'known', value: { attributes: { name: 'x' }, audiences: [] } };
const saying = (body: unknown) => rawServer((socket) => void socket.write(answerWith(body)));
describe('a policy', () => {
  it('without HTTP sources has none', async () => {
    const artefact = artefactWith({});
    expect(await keeperFor(artefact).sourcesFor(artefact)).toEqual(noSources);
  });

  it('that asks what is not allowed is told the origin and the variable to put it in', async () => {
    const artefact = artefactWith({
      profile: { source: sourceAt('https://cdp.example/v1/{subject}') },
      audience: { source: sourceAt('http://aud.internal:8080/{subject}', { map: mapOf({ audiences: 'response' }) }) },
      model: { source: sourceAt('https://REC.example:443/{subject}', { map: mapOf({ propensityPpm: 'response' }) }) },
    });
    const keeper = keeperFor(artefact, { origins: ['https://rec.example', 'https://aud.internal:8080', 'http://cdp.example'] });
    const problem = await keeper.sourcesFor(artefact).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(SourceProblem);
    expect((problem as SourceProblem).problems).toEqual([
      'dependency `profile` asks `https://cdp.example`, which may not be asked: add it to `STEPWELL_HTTP_ORIGINS`',
      'dependency `audience` asks `http://aud.internal:8080`, which may not be asked: add it to `STEPWELL_HTTP_ORIGINS`',
    ]);
    expect(keeper.problemsOf(artefact)).toEqual((problem as SourceProblem).problems);
  });

  it.each([
    ['is not set', undefined, 'which is not set'],
    ['is empty', '', 'which is not set'],
    ['ends in a line break', 'secret\n', 'which holds what no header may: write one line of ASCII'],
    ['starts another header', 'secret\r\nx-more: 1', 'which holds what no header may: write one line of ASCII'],
    ['is no ASCII', 'gehëim', 'which holds what no header may: write one line of ASCII'],
  ])('whose header takes a variable that %s is told its name, and nobody what it holds', async (_what, value, why) => {
    const artefact = artefactWith({
      profile: { source: sourceAt('https://cdp.example/{subject}', { headers: { authorization: { env: 'STEPWELL_SOURCE_CDP' } } }) },
    });
    const keeper = keeperFor(artefact, { environment: { STEPWELL_SOURCE_CDP: value } });
    expect(keeper.problemsOf(artefact)).toEqual([
      `dependency \`profile\` takes its header \`authorization\` from \`STEPWELL_SOURCE_CDP\`, ${why}`,
    ]);
    await expect(keeper.sourcesFor(artefact)).rejects.toThrow(SourceProblem);
  });

  it('has every dependency answered by its own service', async () => {
    const server = await rawServer((socket, head) => {
      const path = head.split(' ')[1] ?? '';
      const answers: Readonly<Record<string, unknown>> = {
        '/ids/d-1': { person: 'anna', method: 'deterministic', confidence: 900_000 },
        '/people/anna': { tier: 'gold', groups: ['lapsed', 'unheard-of'] },
        '/members/anna': { members: [{ name: 'lapsed' }] },
        '/scores': { scores: { rail: 120_000, gone: 1 } },
      };
      socket.write(answerWith(answers[path] ?? {}, path in answers ? {} : { status: '404 No' }));
    });
    const artefact = artefactWith({
      identity: {
        source: sourceAt(`${server.url}/ids/{deviceId}`, {
          map: mapOf({ subject: 'response.person', method: 'response.method', confidencePpm: 'response.confidence' }),
        }),
      },
      profile: {
        source: sourceAt(`${server.url}/people/{subject}`, {
          map: mapOf({ attributes: { loyalty: 'response.tier' }, audiences: 'response.groups' }),
        }),
      },
      audience: { source: sourceAt(`${server.url}/members/{subject}`, { map: mapOf({ audiences: 'response.members.map(m, m.name)' }) }) },
      model: {
        source: sourceAt(`${server.url}/scores`, { method: 'POST', send: ['country'], map: mapOf({ propensityPpm: 'response.scores' }) }),
      },
    });
    const sources = await keeperFor(artefact).sourcesFor(artefact);
    const ask = { subject: 'anna', deviceId: 'd-1', request: { country: 'DE' }, leftMs: plentyMs };
    const facts = await Promise.all([
      sources.identity?.ask(ask),
      sources.profile?.ask(ask),
      sources.audience?.ask(ask),
      sources.model?.ask(ask),
    ]);
    expect(facts).toEqual([
      { state: 'known', value: { subject: 'anna', method: 'deterministic', confidencePpm: 900_000 } },
      { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] } },
      { state: 'known', value: ['lapsed'] },
      { state: 'known', value: { rail: 120_000 } },
    ]);
    expect(await sources.profile?.ask({ ...ask, subject: 'berta' })).toEqual({ state: 'absent' });
  });
});

describe('an address', () => {
  it('inside the named networks is asked, and the same server is not where none is named', async () => {
    const server = await saying({ name: 'x' });
    expect(await (await profileSource(`${server.url}/{subject}`)).ask(askAbout('anna'))).toEqual(known);
    const closed = await profileSource(`${server.url}/{subject}`, { options: { networks: [] } });
    expect(await closed.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    expect(closed.status().fault).toBe('address_forbidden');
    expect(server.connections.length).toBe(1);
  });

  it.each(['2130706433', '0x7f000001', '0177.0.0.1', '127.1', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '①②⑦.0.0.1', '127.0.0.1.'])(
    'written as %s is what it is',
    async (host) => {
      const server = await saying({ name: 'x' });
      const source = await profileSource(`http://${host}:${server.port}/{subject}`, { options: { networks: ['10.0.0.0/8'] } });
      expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      expect(source.status().fault).toBe('address_forbidden');
      expect(server.connections.length).toBe(0);
    },
  );

  it.each(['169.254.169.254', '[fe80::1]', '[::ffff:169.254.169.254]', '[64:ff9b::a9fe:a9fe]', '0.0.0.0', '[::]', '255.255.255.255'])(
    '%s is never asked, whatever is named',
    async (host) => {
      const source = await profileSource(`http://${host}/{subject}`, { options: { networks: ['0.0.0.0/0', '::/0'] } });
      expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      expect(source.status().fault).toBe('address_forbidden');
    },
  );

  it.each([['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254']])(
    'that a name stands for is judged, were it one of many: %s',
    async (...addresses) => {
      const server = await saying({ name: 'x' });
      const resolve = () => Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
      const source = await profileSource(`http://cdp.example:${server.port}/{subject}`, { options: { resolve, networks: [] } });
      expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      expect(source.status().fault).toBe('address_forbidden');
      expect(server.connections.length).toBe(0);
    },
  );

  it('is judged each time that a connection is made: a name that changes its mind is heard', async () => {
    const clock = new VirtualClock();
    const server = await saying({ name: 'x' });
    const answers = ['127.0.0.1', '169.254.169.254'];
    const resolve = () => Promise.resolve([{ address: answers.shift() ?? '', family: 4 }]);
    const source = await profileSource(`http://cdp.example:${server.port}/{subject}`, { options: { resolve, clock } });
    expect(await source.ask(askAbout('anna'))).toEqual(known);
    const [connection] = server.connections;
    await new Promise<void>((closed) => connection?.once('close', () => closed()).end());
    clock.advance(60_000);
    expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    expect(source.status().fault).toBe('address_forbidden');
  });

  it('that has no address any more, because its server left as soon as it was reached, is not forbidden: its connection was reset', async () => {
    const server = await saying({ name: 'x' });
    const source = await profileSource(`${server.url}/{subject}`);
    const leave = (message: unknown) => {
      const { socket } = message as { readonly socket: Socket };
      socket.prependOnceListener('connect', () => socket.destroy());
    };
    subscribe('net.client.socket', leave);
    try {
      expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    } finally {
      unsubscribe('net.client.socket', leave);
    }
    expect(source.status().fault).toBe('connection_reset');
  });

  it('of a name that nobody knows is a failure', async () => {
    for (const resolve of [() => Promise.reject(new Error('ENOTFOUND anna')), () => Promise.resolve([])]) {
      const source = await profileSource('http://cdp.example/{subject}', { options: { resolve } });
      expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      expect(source.status().fault).toBe('name_unresolved');
    }
  });

  it('is not reached through a proxy that the environment names', async () => {
    const server = await saying({ name: 'x' });
    const proxy = await saying({ name: 'proxy' });
    const before = { ...process.env };
    Object.assign(process.env, { http_proxy: proxy.url, HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: '1', no_proxy: '' });
    try {
      expect(await (await profileSource(`${server.url}/{subject}`)).ask(askAbout('anna'))).toEqual(known);
    } finally {
      for (const name of ['http_proxy', 'HTTP_PROXY', 'NODE_USE_ENV_PROXY', 'no_proxy']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
    expect(proxy.connections.length).toBe(0);
  });
});

describe('names', () => {
  it('are looked up once for all who ask at a time, two names at once, and remembered for a moment', async () => {
    const clock = new VirtualClock();
    const asked: string[] = [];
    const answers: (() => void)[] = [];
    const resolve = sparingly((hostname) => {
      asked.push(hostname);
      return new Promise((answer) => answers.push(() => answer([{ address: '93.184.216.34', family: 4 }])));
    }, clock);
    const all = ['a', 'a', 'b', 'c', 'd', 'c'].map(resolve);
    expect(asked).toEqual(['a', 'b']);
    answers[0]?.();
    await all[0];
    await expect.poll(() => asked).toEqual(['a', 'b', 'c']);
    answers[1]?.();
    answers[2]?.();
    await expect.poll(() => asked).toEqual(['a', 'b', 'c', 'd']);
    answers[3]?.();
    await Promise.all(all);
    clock.advance(4_999);
    await resolve('a');
    expect(asked.length).toBe(4);
    clock.advance(1);
    resolve('a');
    expect(asked.length).toBe(5);
  });

  it('that could not be looked up are looked up again', async () => {
    let count = 0;
    const resolve = sparingly(() => Promise.reject(new Error(String(++count))), new VirtualClock());
    await expect(resolve('a')).rejects.toThrow('1');
    await expect(resolve('a')).rejects.toThrow('2');
  });

  it.each([true, false])('are told as the system asks for them: all = %s', async (all) => {
    const lookup = guardedLookup(() => Promise.resolve([{ address: '93.184.216.34', family: 4 }]), { allows: () => true });
    const told = await new Promise((resolve) => lookup('a', { all }, (_error, ...rest) => resolve(rest)));
    expect(told).toEqual(all ? [[{ address: '93.184.216.34', family: 4 }]] : ['93.184.216.34', 4]);
  });
});

describe('a server over TLS', () => {
  const { certificate, key } = throwAwayCertificate();
  const resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);

  async function tlsServer() {
    const server = createTlsServer({ cert: certificate, key }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.write(answerWith({ name: 'x' })));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  }

  it('is believed under the name on its certificate, and under no other, whatever the environment says', async () => {
    const { server, port } = await tlsServer();
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const options = { resolve, certificateAuthority: certificate };
      const named = await profileSource(`https://localhost:${port}/{subject}`, { options });
      expect(await named.ask(askAbout('anna'))).toEqual(known);
      const misnamed = await profileSource(`https://cdp.example:${port}/{subject}`, { options });
      expect(await misnamed.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      const untrusted = await profileSource(`https://localhost:${port}/{subject}`, { options: { resolve } });
      expect(await untrusted.ask(askAbout('anna'))).toEqual({ state: 'failed' });
      expect(untrusted.status().fault).toBe('unreachable');
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      server.close();
    }
  });
});

describe('a policy that replaces another', () => {
  const settled = async () => {
    const server = await saying({ name: 'x', tier: 'gold' });
    const source = sourceAt(`${server.url}/{subject}`);
    const artefact = artefactWith({ profile: { source } });
    const clock = new VirtualClock();
    const keeper = keeperFor(artefact, { clock, environment: { STEPWELL_SOURCE_A: 'a' } });
    return { server, source, artefact, clock, keeper };
  };
  const profileOf = async (keeper: ReturnType<typeof keeperFor>, artefact: Artefact) => {
    const { profile } = await keeper.sourcesFor(artefact);
    if (profile === null) throw new Error('the policy names one');
    return profile;
  };

  it('and leaves a source as it is keeps its connections and what was learnt of it, and reads its answers in the new way', async () => {
    const { server, source, artefact, keeper } = await settled();
    expect(await (await profileOf(keeper, artefact)).ask(askAbout('anna'))).toEqual(known);
    const next = artefactWith({
      profile: { budgetMs: 30, retries: 1, source: { ...source, map: mapOf({ attributes: { loyalty: 'response.tier' } }) } },
    });
    const after = await profileOf(keeper, next);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(await after.ask(askAbout('anna'))).toMatchObject({ value: { attributes: { loyalty: 'gold' } } });
    expect(server.connections.length).toBe(1);
    expect(after.counts()).toEqual({ asks: 2, calls: 2 });
    expect(after.status().state).toBe('up');
  });

  it('and changes it opens new connections; what still asks the old one is answered, until nobody can be asking any more', async () => {
    const { server, source, artefact, clock, keeper } = await settled();
    const before = await profileOf(keeper, artefact);
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    const after = await profileOf(
      keeper,
      artefactWith({ profile: { source: { ...source, headers: { 'x-key': { env: 'STEPWELL_SOURCE_A' } } } } }),
    );
    expect(await after.ask(askAbout('anna'))).toEqual(known);
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    expect(server.requests.filter((head) => head.includes('x-key: a')).length).toBe(1);
    clock.advance(10_000 + artefact.deadline.maxMs);
    await expect.poll(() => server.connections.filter((socket) => !socket.destroyed).length).toBe(1);
    expect(await before.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    expect(await after.ask(askAbout('anna'))).toEqual(known);
  });

  it('leaves what still asks the old source all the time that its longest deadline allows', async () => {
    const { server, source, artefact, clock, keeper } = await settled();
    const patient = { ...artefact, deadline: { ...artefact.deadline, maxMs: 60_000 } };
    const before = await profileOf(keeper, patient);
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    // One that keeps the source and is in more of a hurry does not make that time any shorter.
    await keeper.sourcesFor(artefact);
    await keeper.sourcesFor(artefactWith({ profile: { source: { ...source, maxBytes: 100 } } }));
    clock.advance(60_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    clock.advance(10_000);
    await expect.poll(() => server.connections.filter((socket) => !socket.destroyed).length).toBe(0);
  });

  it('and asks elsewhere goes on counting where the one before left off, also where one between them asked nobody', async () => {
    const { server, artefact, keeper } = await settled();
    const before = await profileOf(keeper, artefact);
    await before.ask(askAbout('anna'));
    const elsewhere = artefactWith({ profile: { source: sourceAt(`${server.url}/v2/{subject}`) } });
    const after = await profileOf(keeper, elsewhere);
    expect(after.counts()).toEqual({ asks: 1, calls: 1 });
    await after.ask(askAbout('anna'));
    // What the old policy still decides counts too.
    await before.ask(askAbout('anna'));
    await keeper.sourcesFor(artefactWith({}));
    expect((await profileOf(keeper, elsewhere)).counts()).toEqual({ asks: 3, calls: 3 });
  });

  it('without sources, and comes while one with sources is being put in force, is the one that stays', async () => {
    const { artefact, clock, keeper } = await settled();
    const order: string[] = [];
    await Promise.all([
      keeper.sourcesFor(artefact).then(() => order.push('with')),
      keeper.sourcesFor(artefactWith({})).then(() => order.push('without')),
    ]);
    expect(order).toEqual(['with', 'without']);
    // The first one's source is on its way out.
    expect(clock.pendingTimers).toBe(1);
  });

  it('and may not be put in force changes nothing', async () => {
    const { server, source, artefact, clock, keeper } = await settled();
    const before = await profileOf(keeper, artefact);
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    await expect(
      keeper.sourcesFor(artefactWith({ profile: { source: { ...source, url: 'https://other.example/{subject}' } } })),
    ).rejects.toThrow(SourceProblem);
    clock.advance(60_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(await before.ask(askAbout('anna'))).toEqual(known);
    expect(server.connections.length).toBe(1);
  });

  it('and comes while another is being put in force is the one that stays, and after the end none does', async () => {
    const { source, artefact, keeper } = await settled();
    const [first, second] = await Promise.all([keeper.sourcesFor(artefact), keeper.sourcesFor(artefactWith({ audience: { source } }))]);
    expect([first.profile !== null, second.profile, second.audience !== null]).toEqual([true, null, true]);
    await keeper.close();
    await expect(keeper.sourcesFor(artefact)).rejects.toThrow('the sources are closed');
  });

  it('and closing ends everything, also what was replaced and what is under way', async () => {
    const server = await rawServer(() => {});
    const artefact = artefactWith({ profile: { source: sourceAt(`${server.url}/{subject}`) } });
    const clock = new VirtualClock();
    const keeper = keeperFor(artefact, { clock });
    const asking = (await profileOf(keeper, artefact)).ask(askAbout('anna'));
    await keeper.sourcesFor(artefactWith({}));
    await server.received(1);
    await keeper.close();
    expect(await asking).toEqual({ state: 'failed' });
    await expect.poll(() => server.connections.filter((socket) => !socket.destroyed).length).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('what is said of a source', () => {
  it('holds nothing of whom was asked about, of what came back, or of its address', async () => {
    const server = await rawServer((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{"name":"leaked-bod'),
    );
    const source = await profileSource(`${server.url}/leaked-path/{subject}`, {
      source: { headers: { authorization: { text: 'leaked-header' } } },
      options: { clock: new VirtualClock() },
    });
    const asking = source.ask(askAbout('leaked-subject'));
    await server.received(1);
    server.connections[0]?.destroy();
    const said = JSON.stringify([await asking, source.status(), source.counts()]);
    expect(said).not.toContain('leaked');
    expect(said).not.toContain('127.0.0.1');
    expect(source.status()).toEqual({
      state: 'down',
      sinceMs: expect.any(Number),
      lastGoodMs: null,
      breaker: 'closed',
      fault: 'connection_reset',
    });
  });

  it('tells since when it is up, and when it was last of use', async () => {
    const clock = new VirtualClock(1_000);
    const server = await saying({ name: 'x' });
    const source = await profileSource(`${server.url}/{subject}`, { options: { clock } });
    expect(source.status()).toEqual({ state: 'unknown', sinceMs: null, lastGoodMs: null, breaker: 'closed', fault: null });
    await source.ask(askAbout('anna'));
    clock.advance(500);
    await source.ask(askAbout('anna'));
    expect(source.status()).toEqual({ state: 'up', sinceMs: 1_000, lastGoodMs: 1_500, breaker: 'closed', fault: null });
  });
});
