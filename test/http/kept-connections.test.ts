/** What goes wrong on a connection that has answered before is answered like anything else; what would be read as something else is not written. */
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { requestsPerConnectionMax } from '../../src/http/exchanges.ts';
import { waitingMax } from '../../src/http/plugins/one-at-a-time.ts';
import { emptyReading } from '../../src/records/reading.ts';
import type { StoreReading } from '../../src/records/store.ts';
import { call } from './callers.ts';
import { startService } from './service.ts';

const host = 'Host: localhost\r\n';
const good = `GET /v1/decide?page=home HTTP/1.1\r\n${host}\r\n`;
const json = 'Content-Type: application/json\r\n';

interface Talk {
  /** Sends, and waits for so many answers beyond those that came. An interim one counts. */
  ask(bytes: string, answers: number): Promise<void>;
  /** All that came, once the other side has closed. */
  closed(): Promise<string>;
}

/** Says nothing of its own: it never closes its half before the other side does. */
function talkTo(port: number): Talk {
  const socket = connect({ port, host: '127.0.0.1' });
  onTestFinished(() => void socket.destroy());
  let text = '';
  let wake = (): void => {};
  let isClosed = false;
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
    wake();
  });
  socket.on('error', () => {});
  const closing = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true;
      wake();
      resolve();
    });
  });
  const came = (): number => statusesIn(text).length;
  return {
    async ask(bytes, answers) {
      const wanted = came() + answers;
      socket.write(bytes, 'latin1');
      while (came() < wanted) {
        if (isClosed) throw new Error(`closed after ${JSON.stringify(text.slice(-400))}`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    async closed() {
      await closing;
      return text;
    },
  };
}

function statusesIn(text: string): readonly number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

async function listening(parts: Parameters<typeof startService>[0] = {}): Promise<number> {
  const { app } = await startService(parts);
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

const wrong: readonly (readonly [string, string, number])[] = [
  ['a method that nobody knows', `FOO /v1/decide HTTP/1.1\r\n${host}\r\n`, 501],
  ['a header that is none', `GET /v1/decide HTTP/1.1\r\n${host}Foo Bar: x\r\n\r\n`, 400],
  ['an address in raw bytes', `GET /v1/decide?page=\u00e4\u0000 HTTP/1.1\r\n${host}\r\n`, 400],
  ['headers that are too large', `GET /v1/decide HTTP/1.1\r\n${host}Cookie: ${'a'.repeat(9_000)}\r\n\r\n`, 431],
  ['headers that are much too large', `GET /v1/decide HTTP/1.1\r\n${host}Cookie: ${'a'.repeat(400_000)}\r\n\r\n`, 431],
  ['headers that never end', `GET /v1/decide HTTP/1.1\r\n${host}`, 408],
  ['a body that never comes', `POST /v1/decide HTTP/1.1\r\n${host}${json}Content-Length: 15\r\n\r\n{"page"`, 408],
  ['two lengths', `POST /v1/decide HTTP/1.1\r\n${host}${json}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['a chunk without a length', `POST /v1/decide HTTP/1.1\r\n${host}${json}Transfer-Encoding: chunked\r\n\r\nx\r\n`, 400],
  ['a tunnel', `CONNECT a.example:443 HTTP/1.1\r\n${host}\r\n`, 501],
  ['an offer that nobody takes', `POST /v1/decide HTTP/1.1\r\n${host}Expect: coffee\r\nContent-Length: 0\r\n\r\n`, 417],
];

describe('what is wrong is told', () => {
  it.each(wrong)('after an answer on the same connection: %s', async (_, bytes, status) => {
    const talk = talkTo(await listening());
    await talk.ask(good, 1);
    await talk.ask(good, 1);
    await talk.ask(bytes, 1);
    const text = await talk.closed();
    expect(statusesIn(text)).toEqual([200, 200, status]);
    const last = text.slice(text.lastIndexOf('HTTP/1.1 '));
    expect(last).toMatch(/^cache-control: private, no-store\r$/im);
    expect(last).toMatch(/^connection: close\r$/im);
    expect(last).toMatch(/^content-type: application\/problem\+json\r$/im);
  });

  it.each([0, 1])('after `100 Continue`, where the body never comes: %d answers before', async (before) => {
    const talk = talkTo(await listening());
    if (before > 0) await talk.ask(good, 1);
    await talk.ask(`POST /v1/decide HTTP/1.1\r\n${host}${json}Expect: 100-continue\r\nContent-Length: 15\r\n\r\n`, 2);
    expect(statusesIn(await talk.closed()).slice(before)).toEqual([100, 408]);
  });

  it('on the management port too', async () => {
    const { parts } = await startService();
    const management = await buildManagement(parts);
    onTestFinished(() => management.close());
    await management.listen({ host: '127.0.0.1', port: 0 });
    const talk = talkTo((management.server.address() as AddressInfo).port);
    await talk.ask(`GET /livez HTTP/1.1\r\n${host}\r\n`, 1);
    await talk.ask(`FOO /livez HTTP/1.1\r\n${host}\r\n`, 1);
    expect(statusesIn(await talk.closed())).toEqual([200, 501]);
  });
});

describe('the connection is cut, and nothing written', () => {
  const body = JSON.stringify({ page: 'home', identity: { token: 'x' } });
  const deciding = (token: string): string => {
    const text = body.replace('"x"', JSON.stringify(token));
    return `POST /v1/decide HTTP/1.1\r\n${host}${json}Content-Length: ${text.length}\r\n\r\n${text}`;
  };

  it.each(wrong.filter(([, , status]) => status !== 417 && status !== 408))(
    'while an earlier answer is being made: %s',
    async (_, bytes) => {
      const waiting: (() => void)[] = [];
      const store = {
        kind: 'embedded',
        read: () => new Promise<StoreReading>((resolve) => waiting.push(() => resolve(emptyReading))),
      } as never;
      const service = await startService({ store });
      await service.app.listen({ host: '127.0.0.1', port: 0 });
      const talk = talkTo((service.app.server.address() as AddressInfo).port);
      await talk.ask(good, 1);
      await talk.ask(deciding(await service.tokenOf('ada')), 0);
      while (waiting.length === 0) await new Promise(setImmediate);
      await talk.ask(bytes, 0);
      const text = await talk.closed();
      waiting.pop()?.();
      expect(statusesIn(text)).toEqual([200]);
      const again = talkTo((service.app.server.address() as AddressInfo).port);
      await again.ask(good, 1);
    },
  );

  it('where the request was answered already, and only its body does not come', async () => {
    const talk = talkTo(await listening());
    await talk.ask(`POST /nowhere HTTP/1.1\r\n${host}${json}Content-Length: 15\r\n\r\n{"page"`, 1);
    expect(statusesIn(await talk.closed())).toEqual([404]);
  });
});

describe('what comes after the last request of a connection is not taken', () => {
  /** More than the buffers between two processes hold, and half of what is sent. */
  const takenBytesMax = 32 * 1024 * 1024;

  /** Sends without end once an answer is under way, and lets the answer come when no more is taken. Gives all that came. */
  async function floodWhileAnswering(
    app: FastifyInstance,
    asking: string,
    isUnderWay: (text: string) => boolean,
    answer: () => unknown,
  ): Promise<string> {
    await app.listen({ host: '127.0.0.1', port: 0 });
    let taking: Socket | undefined;
    app.server.on('connection', (socket) => {
      taking = socket;
    });
    const caller = connect({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1' });
    onTestFinished(() => void caller.destroy());
    let text = '';
    caller
      .setEncoding('latin1')
      .on('data', (chunk) => {
        text += chunk;
      })
      .on('error', () => {});
    const closed = new Promise<void>((resolve) => caller.once('close', () => resolve()));
    caller.write(asking, 'latin1');
    while (!isUnderWay(text)) await new Promise(setImmediate);
    const flood = Buffer.alloc(2 * takenBytesMax, 'x');
    caller.write(flood);
    const taken = (): number => taking?.bytesRead ?? 0;
    while (taking?.isPaused() !== true && taken() < takenBytesMax) await new Promise(setImmediate);
    answer();
    await closed;
    expect(taken()).toBeLessThan(takenBytesMax);
    return text;
  }

  it('while its answer is being made, which comes whole, and then the connection ends', async () => {
    const waiting: (() => void)[] = [];
    const read = (): Promise<StoreReading> => new Promise((resolve) => waiting.push(() => resolve(emptyReading)));
    const service = await startService({ store: { kind: 'embedded', read } as never });
    const body = JSON.stringify({ page: 'home', identity: { token: await service.tokenOf('ada') } });
    const asking = `POST /v1/decide HTTP/1.1\r\n${host}${json}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const text = await floodWhileAnswering(
      service.app,
      asking,
      () => waiting.length > 0,
      () => waiting.pop()?.(),
    );
    expect(statusesIn(text)).toEqual([200]);
    const [head = '', answered = ''] = text.split('\r\n\r\n');
    expect(answered).toHaveLength(Number(/^content-length: (\d+)\r$/im.exec(`${head}\r\n`)?.[1]));
  });

  it('while a stream of change notices is open, whose end comes too', async () => {
    const service = await startService();
    const { token } = service.parts.visitorTokens?.stream.mint({ subject: 'ada', sessionId: null, generation: 0 }) ?? {};
    const text = await floodWhileAnswering(
      service.app,
      `GET /ofrep/v1/stream?t=${token} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
      (heard) => heard.includes('\r\n\r\n'),
      () => call(service, { method: 'POST', url: '/v1/revocations', payload: { subject: 'ada' } }),
    );
    expect(statusesIn(text)).toEqual([200]);
    expect(text).toMatch(/"refetchEvaluation".*\r\n0\r\n\r\n$/s);
  });
});

describe('a connection has so many answers and no more', () => {
  const lastOf = (text: string): string => text.slice(text.lastIndexOf('HTTP/1.1 '));

  async function askOn(port: number, bytes: string): Promise<string> {
    const talk = talkTo(port);
    const atOnce = waitingMax;
    let asked = 0;
    for (; asked + atOnce < requestsPerConnectionMax; asked += atOnce) await talk.ask(bytes.repeat(atOnce), atOnce);
    // More than it may have, in one go.
    await talk.ask(bytes.repeat(atOnce), requestsPerConnectionMax - asked);
    return talk.closed();
  }

  it('the last says so, and what comes after it is not answered', async () => {
    const text = await askOn(await listening(), `GET /nowhere HTTP/1.1\r\n${host}\r\n`);
    expect(statusesIn(text)).toHaveLength(requestsPerConnectionMax);
    expect(new Set(statusesIn(text))).toEqual(new Set([404]));
    expect(text.match(/^connection: close\r$/gim)).toHaveLength(1);
    expect(lastOf(text)).toMatch(/^connection: close\r$/im);
    expect(text.match(/^cache-control: private, no-store\r$/gim)).toHaveLength(requestsPerConnectionMax);
  });

  it('on the management port too', async () => {
    const { parts } = await startService();
    const management = await buildManagement(parts);
    onTestFinished(() => management.close());
    await management.listen({ host: '127.0.0.1', port: 0 });
    const text = await askOn((management.server.address() as AddressInfo).port, `GET /livez HTTP/1.1\r\n${host}\r\n`);
    expect(statusesIn(text)).toHaveLength(requestsPerConnectionMax);
    expect(new Set(statusesIn(text))).toEqual(new Set([200]));
    expect(lastOf(text)).toMatch(/^connection: close\r$/im);
    expect(text.match(/^cache-control: /gim)).toHaveLength(requestsPerConnectionMax);
  });
});
