/** Many asks at once: each hears its own answer, no more are under way than may be, and a dead server hears of us rarely. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { randomFrom } from '../../bench/faults/random.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { answerWith, askAbout, plentyMs, profileSource, type RawServer, rawServer, tidyUp } from './scene.ts';

afterEach(tidyUp);

const subjectIn = (head: string) => /^\w+ \/(\S+)/.exec(head)?.[1] ?? '';

/** Answers with who was asked about: at once, later, in pieces, never (whom it names `hurried`), or with a mishap. */
function echoing(random: () => number): Promise<RawServer> {
  return rawServer((socket, head) => {
    const subject = subjectIn(head);
    const answer = answerWith({ name: subject });
    const luck = random();
    const cut = Math.floor(random() * answer.length);
    if (luck < 0.5) socket.write(answer);
    else if (luck < 0.6) setTimeout(() => socket.write(answer), random() * 12);
    else if (luck < 0.7) {
      socket.write(answer.slice(0, cut));
      setTimeout(() => socket.write(answer.slice(cut)), random() * 12);
    } else if (luck < 0.74) socket.write(answer.slice(0, cut), () => socket.destroy());
    else if (luck < 0.78) socket.write(answer + answerWith({ name: 'nobody' }));
    else if (luck < 0.8) socket.write(answerWith({}, { status: '503 Busy' }));
    else if (luck < 0.9 || !subject.startsWith('hurried')) socket.write(answer);
  });
}

describe('5,000 asks of a server that stalls, dribbles and drops', () => {
  it('never hear the answer to another, and are never more under way than may be', async () => {
    const seed = Number(process.env.STEPWELL_SEED ?? randomInt(2 ** 31));
    console.log(`many-asks: seed ${seed}`);
    const random = randomFrom(seed);
    const server = await echoing(random);
    const connections = 24;
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: plentyMs, retries: 1, source: { connections } });
    const counts: Record<string, number> = {};
    let next = 0;
    const asker = async () => {
      // Those that a breaker keeps back do not count.
      while (source.counts().calls < 5_000) {
        const isHurried = random() < 0.5;
        const subject = `${isHurried ? 'hurried' : 'patient'}${next++}`;
        const fact = await source.ask(askAbout(subject, isHurried ? 1 + random() * 15 : plentyMs));
        if (fact.state === 'known') expect(fact.value.attributes.name).toBe(subject);
        const name = fact.state === 'failed' ? (fact.why ?? 'failed') : fact.state;
        counts[name] = (counts[name] ?? 0) + 1;
        await delay(name === 'circuit_open' ? 20 : 0);
      }
    };
    await Promise.all(Array.from({ length: connections }, asker));
    console.log(`many-asks: ${JSON.stringify(counts)}`);
    expect(counts.known).toBeGreaterThan(500);
    expect(counts.late).toBeGreaterThan(50);
    expect(counts.failed).toBeGreaterThan(10);
    expect(source.counts().calls / source.counts().asks).toBeLessThanOrEqual(1.1);
    await expect.poll(() => server.connections.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(connections);
  });

  it('harm nobody else when they are cut off', async () => {
    const server = await rawServer((socket, head) => {
      const subject = subjectIn(head);
      if (!subject.startsWith('hurried')) socket.write(answerWith({ name: subject }));
      else if (subject.endsWith('0')) socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"na');
    });
    const connections = 16;
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: plentyMs, source: { connections } });
    let next = 0;
    const asker = async () => {
      while (next < 2_000) {
        const number = next++;
        const subject = `${number % 2 === 0 ? 'hurried' : 'patient'}${number >> 1}`;
        const fact = await source.ask(askAbout(subject, number % 2 === 0 ? 3 : plentyMs));
        if (number % 2 === 0) expect(fact.state).toBe('late');
        else expect(fact).toEqual({ state: 'known', value: { attributes: { name: subject }, audiences: [] } });
      }
    };
    await Promise.all(Array.from({ length: connections }, asker));
  });

  it('are told from a server that mixes them up: the check sees it', async () => {
    const server = await rawServer((socket) => socket.write(answerWith({ name: 'another' })));
    const source = await profileSource(`${server.url}/{subject}`);
    const fact = await source.ask(askAbout('anna'));
    expect(fact.state === 'known' && fact.value.attributes.name).not.toBe('anna');
  });
});

describe('more asks than connections', () => {
  it('fail at once with `overload`, and the others are answered', async () => {
    const waiting: (() => void)[] = [];
    const server = await rawServer((socket, head) => waiting.push(() => socket.write(answerWith({ name: subjectIn(head) }))));
    const source = await profileSource(`${server.url}/{subject}`, { source: { connections: 4 } });
    const asked = Array.from({ length: 10 }, (_, index) => source.ask(askAbout(`s${index}`)));
    const refused = await Promise.all(asked.slice(4));
    expect(refused).toEqual(new Array(6).fill({ state: 'failed', why: 'overload' }));
    await server.received(4);
    for (const answer of waiting) answer();
    for (const [index, fact] of (await Promise.all(asked.slice(0, 4))).entries())
      expect(fact).toMatchObject({ state: 'known', value: { attributes: { name: `s${index}` } } });
    expect(server.connections.length).toBe(4);
    expect(source.status()).toMatchObject({ state: 'up', breaker: 'closed', fault: null });
  });
});

describe('a server that fails now and then', () => {
  it('is asked at most a tenth more often than we were, over 2,000 asks with two retries and a closed breaker', async () => {
    // As many fail as it takes to want more retries than there are, and never so many in a row that it is left alone.
    const server = await rawServer((socket, _head, count) =>
      socket.write(count % 5 < 2 ? answerWith({}, { status: '503 Busy' }) : answerWith({ name: 'x' })),
    );
    const source = await profileSource(`${server.url}/{subject}`, { retries: 2 });
    for (let ask = 0; ask < 2_000; ask++) await source.ask(askAbout('anna'));
    expect(source.status().breaker).toBe('closed');
    expect(server.requests.length).toBe(source.counts().calls);
    expect(server.requests.length / 2_000).toBeLessThanOrEqual(1.1);
    expect(server.requests.length).toBeGreaterThan(2_100);
  });
});

describe('a dead server', () => {
  it.each([0, 2])(
    'is left alone after five failures, with %i retries, but for one ask a second; the first that is answered ends it',
    async (retries) => {
      const clock = new VirtualClock();
      let isDead = true;
      const server = await rawServer((socket) => (isDead ? socket.destroy() : socket.write(answerWith({ name: 'x' }))));
      const source = await profileSource(`${server.url}/{subject}`, { retries, options: { clock } });
      for (let ask = 0; ask < 5; ask++) await source.ask(askAbout('anna'));
      expect(source.status()).toMatchObject({ state: 'down', breaker: 'open', fault: 'connection_reset' });
      const before = source.counts();
      const facts: Record<string, number> = {};
      for (let ask = 0; ask < 2_000; ask++) {
        const fact = await source.ask(askAbout('anna'));
        const name = fact.state === 'failed' ? (fact.why ?? 'failed') : fact.state;
        facts[name] = (facts[name] ?? 0) + 1;
        clock.advance(10);
      }
      const { asks, calls } = source.counts();
      expect((calls - before.calls) / (asks - before.asks)).toBeLessThanOrEqual(0.05);
      expect(facts).toEqual({ circuit_open: 2_000 - (calls - before.calls), failed: calls - before.calls });
      // One a second for twenty seconds.
      expect(calls - before.calls).toBeGreaterThanOrEqual(19);
      expect(calls - before.calls).toBeLessThanOrEqual(20);
      isDead = false;
      clock.advance(1_000);
      expect(await source.ask(askAbout('anna'))).toMatchObject({ state: 'known' });
      expect(source.status()).toMatchObject({ state: 'up', breaker: 'closed', fault: null });
    },
  );

  it('that refuses connections is a failure like any other', async () => {
    const server = await rawServer(() => {});
    await server.close();
    const source = await profileSource(`${server.url}/{subject}`, { retries: 1 });
    expect(await source.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    expect(source.status()).toMatchObject({ state: 'down', fault: 'connection_refused' });
    expect(source.counts()).toEqual({ asks: 1, calls: 2 });
  });

  it('that says nothing opens the breaker, and a probe that hears nothing keeps it open however little time it had', async () => {
    const clock = new VirtualClock();
    const server = await rawServer(() => {});
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: 50, options: { clock } });
    const askAndWait = async (leftMs: number, count: number) => {
      const asking = source.ask(askAbout('anna', leftMs));
      await server.received(count);
      clock.advance(leftMs);
      return asking;
    };
    // Given too little time, it is not to blame.
    for (let ask = 1; ask <= 10; ask++) expect(await askAndWait(5, ask)).toEqual({ state: 'late' });
    expect(source.status().breaker).toBe('closed');
    for (let ask = 11; ask <= 15; ask++) expect(await askAndWait(50, ask)).toEqual({ state: 'late' });
    expect(source.status().breaker).toBe('open');
    clock.advance(1_000);
    expect(await askAndWait(5, 16)).toEqual({ state: 'late' });
    expect(source.status().breaker).toBe('open');
    expect(await source.ask(askAbout('anna', 50))).toEqual({ state: 'failed', why: 'circuit_open' });
  });

  it('is not found again by an ask that could not even be sent', async () => {
    const clock = new VirtualClock();
    const { promise: never } = Promise.withResolvers<readonly []>();
    const options = { clock, resolve: () => never };
    const source = await profileSource('http://cdp.example/{subject}', { budgetMs: 50, options, source: { connections: 5 } });
    for (let ask = 0; ask < 5; ask++) {
      const asking = source.ask(askAbout('anna', 50));
      clock.advance(50);
      expect(await asking).toEqual({ state: 'late' });
    }
    expect(source.status().breaker).toBe('open');
    clock.advance(1_000);
    expect(await source.ask(askAbout('anna', 50))).toEqual({ state: 'failed', why: 'overload' });
    expect(source.status().breaker).toBe('open');
  });
});
