/**
 * What keeps a node within reach: lines that are dead or silent are replaced, a node that fails is left alone but for probes, and
 * nothing of that is judged while our own event loop was the one that was late.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../src/records/store-error.ts';
import { createBreaker } from '../../src/redis/breaker.ts';
import { inFlightMax } from '../../src/redis/line.ts';
import { type Node, openNode } from '../../src/redis/node.ts';
import { isFaultOfNode, Refusal } from '../../src/redis/reply.ts';
import { until } from '../support/redis-deployments.ts';

/** Speaks enough of the protocol to be taken for a Redis, and does what a test wants. */
interface FakeRedis {
  readonly port: number;
  /** Names of the commands that came, without the greeting of a connection. */
  readonly commands: string[];
  connections(): number;
  /** What a GET is answered with. */
  answer: string;
  /** Right after the answer to a GET has left. */
  afterAnswer(): void;
  /** From now on it answers nothing, or all that it owes, in order. */
  beSilent(isSilent: boolean): void;
}

const stops: (() => void)[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function fakeRedis(): Promise<FakeRedis> {
  const owed = new Map<Socket, string[]>();
  let connections = 0;
  let isSilent = false;
  const answers: Readonly<Record<string, () => string>> = {
    HELLO: () => "-ERR unknown command 'HELLO'\r\n",
    CLIENT: () => '+OK\r\n',
    PING: () => '+PONG\r\n',
    GET: () => fake.answer,
  };
  const server = createServer((socket) => {
    connections += 1;
    owed.set(socket, []);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const [, name = ''] of chunk.toString().matchAll(/\r\n(HELLO|CLIENT|PING|GET)\r\n/gi)) {
        const command = name.toUpperCase();
        if (command === 'PING' || command === 'GET') fake.commands.push(command);
        const answer = answers[command]?.() ?? '';
        if (isSilent) owed.get(socket)?.push(answer);
        else socket.write(answer);
        if (command === 'GET') fake.afterAnswer();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const fake: FakeRedis = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    commands: [],
    connections: () => connections,
    answer: '$1\r\nx\r\n',
    afterAnswer() {},
    beSilent(silent) {
      isSilent = silent;
      if (!silent) for (const [socket, answersOwed] of owed) socket.write(answersOwed.splice(0).join(''));
    },
  };
  stops.push(() => {
    for (const socket of owed.keys()) socket.destroy();
    server.close();
  });
  return fake;
}

async function nodeOf(fake: FakeRedis, limits = { commandTimeoutMs: 30, silenceMaxMs: 60_000 }): Promise<Node> {
  const node = openNode({
    endpoint: { host: '127.0.0.1', port: fake.port },
    access: { username: null, password: null, tls: false },
    db: 0,
    role: 'any',
    random: () => 0,
    onChange() {},
    ...limits,
  });
  stops.push(node.close);
  await until('the node serves', async () => node.isServing);
  return node;
}

async function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'answered',
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );
}

describe('a node', () => {
  it('that owes an answer too long gets a new line, though it was written to all the time', async () => {
    const fake = await fakeRedis();
    const node = await nodeOf(fake, { commandTimeoutMs: 30, silenceMaxMs: 150 });
    fake.beSilent(true);
    await until('there is a second line', async () => {
      await codeOf(node.send('GET', ['a']));
      return fake.connections() > 1;
    });
    fake.beSilent(false);
    await until('it answers', async () => (await codeOf(node.send('GET', ['a']))) === 'answered');
  });

  it('that accepts connections and never says a word is given up, again and again, until it speaks', async () => {
    const fake = await fakeRedis();
    fake.beSilent(true);
    const opening = nodeOf(fake);
    await until('it was given up twice', async () => fake.connections() > 2);
    fake.beSilent(false);
    expect(await codeOf((await opening).send('GET', ['a']))).toBe('answered');
  });

  it('that answers nothing holds no more commands than it may, those that were given up included', async () => {
    const fake = await fakeRedis();
    const node = await nodeOf(fake);
    fake.beSilent(true);
    const first = await Promise.all(Array.from({ length: inFlightMax }, () => codeOf(node.send('GET', ['a']))));
    expect(new Set(first)).toEqual(new Set(['timed_out']));
    expect(fake.commands.filter((name) => name === 'GET')).toHaveLength(inFlightMax);
    await until('the breaker is open', async () => !node.isServing);
  });

  it('that fails is not asked by anybody, only probed, and is asked again once a probe is answered', async () => {
    const fake = await fakeRedis();
    const node = await nodeOf(fake);
    fake.beSilent(true);
    await until('the breaker is open', async () => {
      await codeOf(node.send('GET', ['a']));
      return !node.isServing;
    });
    expect(node.fault).toBe('circuit_open');
    fake.commands.length = 0;
    expect(await Promise.all(Array.from({ length: 100 }, () => codeOf(node.send('GET', ['a']))))).toEqual(Array(100).fill('circuit_open'));
    await until('it was probed', async () => fake.commands.length > 1);
    expect(new Set(fake.commands)).toEqual(new Set(['PING']));
    fake.beSilent(false);
    await until('it serves', async () => node.isServing);
    expect(await codeOf(node.send('GET', ['a']))).toBe('answered');
  });

  it('that refuses what it is asked is not at fault', async () => {
    const fake = await fakeRedis();
    const node = await nodeOf(fake);
    fake.answer = '-WRONGTYPE of value secret\r\n';
    for (let time = 0; time < 100; time += 1) expect(await codeOf(node.send('GET', ['a']))).toBe('refused');
    expect(node.isServing).toBe(true);
  });

  it('is not blamed for what our own event loop was late to read', async () => {
    const fake = await fakeRedis();
    const node = await nodeOf(fake, { commandTimeoutMs: 30, silenceMaxMs: 60 });
    // The answer has left, and before we read it we are busy for longer than anybody may be silent.
    fake.afterAnswer = () => {
      const endMs = performance.now() + 200;
      while (performance.now() < endMs);
    };
    const answer = codeOf(node.send('GET', ['a']));
    expect(await answer).toBe('answered');
    expect(fake.connections()).toBe(1);
  });
});

describe('a breaker', () => {
  const timedOut = new StoreError('timed_out', 'x');
  const fail = (): Promise<never> => Promise.reject(timedOut);
  const succeed = (): Promise<number> => Promise.resolve(1);

  it('stays closed while less than half of what it saw failed', async () => {
    const breaker = createBreaker({ isFault: isFaultOfNode, onOpen() {}, onClose() {} });
    for (let time = 0; time < 400; time += 1) await codeOf(breaker.run(time % 5 < 2 ? fail : succeed));
    expect(breaker.isOpen).toBe(false);
    for (let time = 0; time < 40; time += 1) await codeOf(breaker.run(fail));
    expect(breaker.isOpen).toBe(true);
  });

  it('closes again whatever the wall clock does meanwhile', async () => {
    const told: string[] = [];
    const breaker = createBreaker({ isFault: isFaultOfNode, onOpen: () => told.push('open'), onClose: () => told.push('closed') });
    for (let time = 0; time < 40 && !breaker.isOpen; time += 1) await codeOf(breaker.run(fail));
    const realNow = Date.now;
    Date.now = () => realNow() - 2 * 3_600_000;
    try {
      breaker.probe(fail);
      await Promise.resolve();
      await until('the probe failed', async () => breaker.isOpen);
      breaker.probe(succeed);
      await until('it is closed', async () => !breaker.isOpen);
    } finally {
      Date.now = realNow;
    }
    expect(told).toEqual(['open', 'open', 'closed']);
  });

  it.each([
    ['LOADING Redis is loading', true],
    ['BUSY Redis is busy running a script', true],
    ['CLUSTERDOWN The cluster is down', false],
    ['TRYAGAIN Multiple keys request', false],
    ['WRONGTYPE Operation against a key', false],
    ['MOVED 1 127.0.0.1:1', false],
    ['OOM command not allowed', false],
  ])('takes `%s` for a fault of the node: %s', (message, expected) => {
    expect(isFaultOfNode(new Refusal(new Error(message)))).toBe(expected);
  });
});
