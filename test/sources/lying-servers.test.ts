/** Servers that do everything a server can do wrong: the fact says so, nothing else happens, and the next answer is the next ask's. */

import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { SourceFaultCode } from '../../src/sources/source-fault.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { answerWith, askAbout, plentyMs, profileSource, rawServer, tidyUp } from './scene.ts';

afterEach(tidyUp);

const known = (name: string) => ({ state: 'known', value: { attributes: { name }, audiences: [] } });
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const json = (text: string, more = '') => `${head}content-length: ${Buffer.byteLength(text)}\r\n${more}\r\n${text}`;
const honest = answerWith({ name: 'honest' });

interface Lie {
  readonly what: string;
  readonly tell: (socket: Socket) => void;
  readonly fault: SourceFaultCode | null;
  readonly state?: 'absent' | 'late' | 'known';
}

const write = (text: string | Buffer) => (socket: Socket) => void socket.write(text);
const end = (text: string | Buffer) => (socket: Socket) => void socket.end(text);
/** As fast as the reader takes it, until it goes. */
const flood = (first: string, chunk: string) => (socket: Socket) => {
  socket.write(first);
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
    if (!socket.destroyed) socket.once('drain', more);
  };
  more();
};
const reset = (text: string) => (socket: Socket) => void socket.write(text, () => setImmediate(() => socket.resetAndDestroy()));
const megabyte = 'x'.repeat(1_048_576);
const bomb = gzipSync(`{"name":"${megabyte.repeat(8)}"}`);

const lies: readonly Lie[] = [
  // Nothing there, or gone.
  { what: 'says 204', tell: write('HTTP/1.1 204 No Content\r\n\r\n'), fault: null, state: 'absent' },
  { what: 'says 404', tell: write(answerWith({ name: 'x' }, { status: '404 Not Found' })), fault: null, state: 'absent' },
  {
    what: 'says 404 in HTML',
    tell: write('HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\n<p>'),
    fault: null,
    state: 'absent',
  },
  { what: 'closes without a word', tell: end(''), fault: 'connection_reset' },
  { what: 'resets without a word', tell: (socket) => void socket.resetAndDestroy(), fault: 'connection_reset' },
  { what: 'closes in the middle of the head', tell: end('HTTP/1.1 200 OK\r\ncontent-ty'), fault: 'connection_reset' },
  { what: 'closes after the head', tell: end(`${head}content-length: 20\r\n\r\n`), fault: 'connection_reset' },
  {
    what: 'closes after the head, as announced',
    tell: end(`${head}content-length: 20\r\nconnection: close\r\n\r\n`),
    fault: 'length_mismatch',
  },
  { what: 'resets in the middle of the body', tell: reset(`${head}content-length: 20\r\n\r\n{"name":`), fault: 'connection_reset' },
  {
    what: 'closes in the middle of a chunk',
    tell: end(`${head}transfer-encoding: chunked\r\n\r\n20\r\n{"name":"x"}`),
    fault: 'connection_reset',
  },
  { what: 'closes in the middle of a body without a length', tell: end(`${head}connection: close\r\n\r\n{"name":`), fault: 'not_json' },
  // Other answers.
  { what: 'says 500', tell: write(answerWith({ name: 'x' }, { status: '500 Oops' })), fault: 'status_server_error' },
  { what: 'says 503', tell: write(answerWith({}, { status: '503 Busy' })), fault: 'status_unavailable' },
  { what: 'says 401', tell: write(answerWith({}, { status: '401 No' })), fault: 'status_not_served' },
  { what: 'says 429', tell: write(answerWith({}, { status: '429 Slow' })), fault: 'status_not_served' },
  { what: 'says 400', tell: write(answerWith({}, { status: '400 What' })), fault: 'status_unexpected' },
  { what: 'says 201', tell: write(answerWith({ name: 'x' }, { status: '201 Made' })), fault: 'status_unexpected' },
  { what: 'says 206', tell: write(answerWith({ name: 'x' }, { status: '206 Part' })), fault: 'status_unexpected' },
  ...[301, 302, 303, 307, 308].map((status) => ({
    what: `redirects to where machines get their credentials, with ${status}`,
    tell: write(answerWith({}, { status: `${status} There`, head: 'location: http://169.254.169.254/latest/meta-data/\r\n' })),
    fault: 'redirect' as const,
  })),
  { what: 'redirects to itself', tell: write(answerWith({}, { status: '302 Here', head: 'location: /again\r\n' })), fault: 'redirect' },
  // No JSON.
  { what: 'sends HTML', tell: write('HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\n{}'), fault: 'not_json' },
  { what: 'names no type', tell: write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'), fault: 'not_json' },
  { what: 'names two types', tell: write(`${head}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`), fault: 'not_json' },
  {
    what: 'names another charset',
    tell: write('HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-16\r\ncontent-length: 2\r\n\r\n{}'),
    fault: 'not_json',
  },
  { what: 'sends text as JSON', tell: write(json('hello')), fault: 'not_json' },
  { what: 'sends two values', tell: write(json('{"name":"x"}{"name":"y"}')), fault: 'not_json' },
  { what: 'sends nothing', tell: write(json('')), fault: 'not_json' },
  {
    what: 'sends broken UTF-8',
    tell: (socket) =>
      void socket.write(Buffer.concat([Buffer.from(`${head}content-length: 12\r\n\r\n{"name":"`), Buffer.from([0xff, 0x22, 0x7d])])),
    fault: 'not_json',
  },
  { what: 'sends JSON within JSON', tell: write(json('"{\\"name\\":\\"x\\"}"')), fault: 'misfit' },
  { what: 'sends another type', tell: write(answerWith({ name: 7 })), fault: 'misfit' },
  {
    what: 'compresses unasked',
    tell: (socket) =>
      void socket.write(Buffer.concat([Buffer.from(`${head}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`), bomb])),
    fault: 'not_json',
  },
  { what: 'says that plain JSON is packed', tell: write(honest.replace('\r\n', '\r\ncontent-encoding: br\r\n')), fault: 'not_json' },
  {
    what: 'compresses the transfer',
    tell: (socket) => void socket.end(Buffer.concat([Buffer.from(`${head}transfer-encoding: gzip\r\n\r\n`), bomb])),
    fault: 'not_json',
  },
  // Too much.
  { what: 'announces more than is allowed', tell: write(`${head}content-length: 65537\r\n\r\n{`), fault: 'too_large' },
  { what: 'sends ten megabytes', tell: write(json(`{"name":"${megabyte.repeat(10)}"}`)), fault: 'too_large' },
  {
    what: 'sends chunks for ever',
    tell: flood(`${head}transfer-encoding: chunked\r\n\r\n`, '1000\r\n'.concat('x'.repeat(4096), '\r\n')),
    fault: 'too_large',
  },
  { what: 'sends a body for ever', tell: flood(`${head}connection: close\r\n\r\n`, 'x'.repeat(4096)), fault: 'too_large' },
  { what: 'sends seventeen levels', tell: write(json(`{"name":"x","deep":${'['.repeat(16)}${']'.repeat(16)}}`)), fault: 'too_deep' },
  { what: 'sends thirty thousand levels', tell: write(json('['.repeat(30_000) + ']'.repeat(30_000))), fault: 'too_deep' },
  { what: 'sends a head without end', tell: flood('HTTP/1.1 200 OK\r\n', `x-more: ${'y'.repeat(500)}\r\n`), fault: 'not_http' },
  { what: 'sends one header line without end', tell: flood('HTTP/1.1 200 OK\r\nx-more: ', 'y'.repeat(4096)), fault: 'not_http' },
  { what: 'sends hints for ever', tell: flood('', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'), fault: 'not_http' },
  // No HTTP.
  { what: 'speaks another protocol', tell: write('-ERR unknown command\r\n'), fault: 'not_http' },
  { what: 'says that we may go on', tell: write('HTTP/1.1 100 Continue\r\n\r\n'), fault: 'not_http' },
  {
    what: 'changes the protocol',
    tell: write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    fault: 'not_http',
  },
  {
    what: 'names two lengths',
    tell: write(`${head}content-length: 2\r\ncontent-length: 12\r\n\r\n{"name":"x"}`),
    fault: 'length_mismatch',
  },
  {
    what: 'names a length and chunks',
    tell: write(`${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"name":"x"}\r\n0\r\n\r\n`),
    fault: 'length_mismatch',
  },
  { what: 'names a length below zero', tell: write(`${head}content-length: -1\r\n\r\n{}`), fault: 'not_http' },
  { what: 'chunks in other numbers', tell: write(`${head}transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`), fault: 'not_http' },
  {
    what: 'sends too many members',
    tell: write(json(`{"name":"x",${Array.from({ length: 3_000 }, (_, index) => `"${index}":0`).join()}}`)),
    fault: 'too_many',
  },
  { what: 'sends too many objects', tell: write(json(`{"name":"x","list":[${'{},'.repeat(3_000)}{}]}`)), fault: 'too_many' },
  { what: 'sends too many items', tell: write(json(`{"name":"x","list":[${'1,'.repeat(20_000)}1]}`)), fault: 'too_many' },
  // Odd and honest.
  {
    what: 'sends many items, and commas in text',
    tell: write(json(`{"name":"honest","list":[${'1,'.repeat(19_900)}1],"text":"${':,{'.repeat(1_000)}"}`)),
    fault: null,
    state: 'known',
  },
  { what: 'sends hints, then the answer', tell: write(`HTTP/1.1 103 Early Hints\r\n\r\n${honest}`), fault: null, state: 'known' },
  {
    what: 'sends chunks',
    tell: write(`${head}transfer-encoding: chunked\r\n\r\n7\r\n{"name"\r\n9\r\n:"honest"\r\n1\r\n}\r\n0\r\n\r\n`),
    fault: null,
    state: 'known',
  },
  { what: 'sends no length and closes', tell: end(`${head}connection: close\r\n\r\n{"name":"honest"}`), fault: null, state: 'known' },
  {
    what: 'sends a type built on JSON',
    tell: write(honest.replace('application/json', 'application/hal+json; charset="UTF-8"; v=1')),
    fault: null,
    state: 'known',
  },
  {
    what: 'sends sixteen levels',
    tell: write(json(`{"name":"honest","deep":${'['.repeat(15)}${']'.repeat(15)}}`)),
    fault: null,
    state: 'known',
  },
  { what: 'sends brackets in text', tell: write(json(`{"name":"honest","text":"${'[{\\"'.repeat(40)}"}`)), fault: null, state: 'known' },
];

describe('a server that', () => {
  it.each(lies)('$what', async ({ tell, fault, state = 'failed' }) => {
    let liesLeft = 1;
    const server = await rawServer((socket) => (liesLeft-- > 0 ? tell(socket) : socket.write(honest)));
    const source = await profileSource(`${server.url}/{subject}`);
    const fact = await source.ask(askAbout('anna'));
    expect(fact).toMatchObject(state === 'known' ? known('honest') : { state });
    expect(source.status().fault).toBe(fault);
    expect(server.requests.length).toBe(1);
    // And what it said cannot be heard as the answer to anything else.
    expect(await source.ask(askAbout('berta'))).toEqual(known('honest'));
    expect(source.counts()).toEqual({ asks: 2, calls: 2 });
  });
});

/** What comes after a whole answer: on a connection that is kept, the next ask would hear it. */
const poisons = [
  { what: 'another whole answer', extra: answerWith({ name: 'poison' }) },
  { what: 'a body longer than its length', extra: '{"name":"poison"}' },
  { what: 'half an answer', extra: 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n' },
  { what: 'line breaks and another answer', extra: `\r\n\r\n${answerWith({ name: 'poison' })}` },
];

describe('after an answer that is followed by', () => {
  it.each(poisons)('$what in the same packet, the next ask hears its own', async ({ extra }) => {
    const server = await rawServer((socket, _head, count) => socket.write(count === 1 ? answerWith({ name: 'first' }) + extra : honest));
    const source = await profileSource(`${server.url}/{subject}`);
    expect(await source.ask(askAbout('anna'))).toEqual(known('first'));
    expect(await source.ask(askAbout('berta'))).toEqual(known('honest'));
    expect(server.connections.length).toBe(2);
  });

  it.each(poisons)('$what in a later packet, the next ask hears its own', async ({ extra }) => {
    const server = await rawServer((socket, _head, count) => socket.write(count === 1 ? answerWith({ name: 'first' }) : honest));
    const source = await profileSource(`${server.url}/{subject}`);
    expect(await source.ask(askAbout('anna'))).toEqual(known('first'));
    await new Promise<void>((resolve) => server.connections[0]?.write(extra, () => setImmediate(resolve)));
    expect(await source.ask(askAbout('berta'))).toEqual(known('honest'));
  });

  it('a body after a status that has none, the next ask hears its own', async () => {
    const server = await rawServer((socket, _head, count) =>
      socket.write(count === 1 ? `HTTP/1.1 204 None\r\ncontent-length: ${honest.length}\r\n\r\n${answerWith({ name: 'poison' })}` : honest),
    );
    const source = await profileSource(`${server.url}/{subject}`);
    expect(await source.ask(askAbout('anna'))).toEqual({ state: 'absent' });
    expect(await source.ask(askAbout('berta'))).toEqual(known('honest'));
  });
});

describe('a connection', () => {
  it('is kept while all is well', async () => {
    const server = await rawServer((socket) => socket.write(honest));
    const source = await profileSource(`${server.url}/{subject}`);
    for (let ask = 0; ask < 20; ask++) expect(await source.ask(askAbout('anna'))).toEqual(known('honest'));
    // An ask in the very turn of an answer does not wait for that connection to be looked at again.
    expect(server.connections.length).toBeLessThanOrEqual(2);
  });

  it('that the server closed while it was idle is not used again', async () => {
    const server = await rawServer((socket) => socket.write(honest));
    const source = await profileSource(`${server.url}/{subject}`);
    for (let ask = 0; ask < 5; ask++) {
      expect(await source.ask(askAbout('anna'))).toEqual(known('honest'));
      const last = server.connections.at(-1);
      await new Promise<void>((resolve) => last?.once('close', () => resolve()).end());
    }
    expect(server.connections.length).toBe(5);
  });

  it('that the server closes under an ask makes it fail, or asks again where the policy allows', async () => {
    const server = await rawServer((socket, _head, count) => (count % 2 === 1 ? socket.write(honest) : socket.destroy()));
    const once = await profileSource(`${server.url}/{subject}`);
    expect(await once.ask(askAbout('anna'))).toEqual(known('honest'));
    expect(await once.ask(askAbout('anna'))).toEqual({ state: 'failed' });
    const again = await profileSource(`${server.url}/{subject}`, { retries: 1 });
    expect(await again.ask(askAbout('anna'))).toEqual(known('honest'));
    expect(await again.ask(askAbout('anna'))).toEqual(known('honest'));
    expect(again.counts()).toEqual({ asks: 2, calls: 3 });
  });
});

describe('a slow server', () => {
  const slow: readonly { readonly what: string; readonly begin: string; readonly dribble: string | null }[] = [
    { what: 'says nothing', begin: '', dribble: null },
    { what: 'stops within the head', begin: 'HTTP/1.1 200 OK\r\nconte', dribble: null },
    { what: 'stops within the body', begin: `${head}content-length: 17\r\n\r\n{"name"`, dribble: null },
    { what: 'announces more than it sends', begin: `${head}content-length: 18\r\n\r\n{"name":"honest"}`, dribble: null },
    { what: 'dribbles its head', begin: 'HTTP/1.1 200 OK\r\nx: ', dribble: 'y' },
    { what: 'dribbles its body', begin: `${head}content-length: 1000\r\n\r\n{"name":"`, dribble: 'y' },
    { what: 'dribbles chunks', begin: `${head}transfer-encoding: chunked\r\n\r\n`, dribble: '1\r\ny\r\n' },
    { what: 'dribbles the body of a failure', begin: 'HTTP/1.1 404 No\r\ncontent-length: 1000\r\n\r\n', dribble: 'y' },
  ];

  it.each(slow)('that $what is cut off at the budget, and its connection with it', async ({ begin, dribble }) => {
    const clock = new VirtualClock();
    let isFirst = true;
    const server = await rawServer((socket) => {
      if (!isFirst) return socket.write(honest);
      isFirst = false;
      socket.write(begin);
    });
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: 50, options: { clock } });
    let isAnswered = false;
    const asking = source.ask(askAbout('anna', 50)).then((fact) => {
      isAnswered = true;
      return fact;
    });
    await server.received(1);
    const [connection] = server.connections;
    const gone = new Promise<void>((resolve) => connection?.once('close', () => resolve()));
    for (let ms = 0; ms < 49; ms++) {
      clock.advance(1);
      if (dribble !== null) connection?.write(dribble);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const isFailureKnown = begin.includes('404');
    expect(isAnswered).toBe(isFailureKnown);
    clock.advance(1);
    expect(await asking).toEqual({ state: isFailureKnown ? 'absent' : 'late' });
    await gone;
    expect(await source.ask(askAbout('berta', 50))).toEqual(known('honest'));
    expect(server.connections.length).toBe(2);
    await server.close();
  });

  it('is not called late for an answer that lay unread because we were busy', async () => {
    const server = await rawServer((socket, _head, count) => {
      socket.write(honest);
      const freeAtMs = performance.now() + (count === 1 ? 0 : 60);
      while (performance.now() < freeAtMs);
    });
    const source = await profileSource(`${server.url}/{subject}`, { source: { connections: 1 } });
    expect(await source.ask(askAbout('anna'))).toEqual(known('honest'));
    expect(await source.ask(askAbout('anna', 40))).toEqual(known('honest'));
  });

  it('is not asked with less than a millisecond, or less than it usually takes', async () => {
    const clock = new VirtualClock();
    const server = await rawServer((socket) => {
      clock.advance(8);
      socket.write(honest);
    });
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: 50, options: { clock } });
    for (const leftMs of [0, 0.5, -3, Number.NaN])
      expect(await source.ask(askAbout('anna', leftMs))).toEqual({ state: 'late', why: 'deadline_too_short' });
    expect(source.typicalMs()).toBe(null);
    for (let ask = 0; ask < 20; ask++) await source.ask(askAbout('anna', 50));
    expect(source.typicalMs()).toBe(8);
    expect(await source.ask(askAbout('anna', 7))).toEqual({ state: 'late', why: 'deadline_too_short' });
    expect(source.counts()).toEqual({ asks: 25, calls: 20 });
  });

  it('is asked with half its budget, however long it usually takes', async () => {
    const clock = new VirtualClock();
    const server = await rawServer((socket) => {
      clock.advance(40);
      socket.write(honest);
    });
    const source = await profileSource(`${server.url}/{subject}`, { budgetMs: 50, options: { clock } });
    for (let ask = 0; ask < 20; ask++) await source.ask(askAbout('anna', 50));
    expect(source.typicalMs()).toBe(25);
  });

  it('that takes longer to connect than anybody has does not stay cold: its connection serves the next ask', async () => {
    const clock = new VirtualClock();
    const server = await rawServer((socket) => socket.write(honest));
    const { promise: isResolved, resolve: resolveName } = Promise.withResolvers<void>();
    const resolve = () => isResolved.then(() => [{ address: '127.0.0.1', family: 4 }]);
    const source = await profileSource(`http://cdp.example:${server.port}/{subject}`, {
      options: { clock, resolve },
      source: { connections: 1 },
    });
    const asking = source.ask(askAbout('anna', 20));
    clock.advance(20);
    expect(await asking).toEqual({ state: 'late' });
    // Until the connection is there, the one slot is taken.
    expect(await source.ask(askAbout('anna', 20))).toEqual({ state: 'failed', why: 'overload' });
    resolveName();
    await expect.poll(() => server.connections.length).toBe(1);
    await expect.poll(() => source.ask(askAbout('anna', 20))).toEqual(known('honest'));
    expect(server.connections.length).toBe(1);
    // What nobody waited for was never sent.
    expect(server.requests.length).toBe(1);
  });
});

describe('the request', () => {
  it('says who is asked about, what is accepted and how long it may take, and nothing else of ours', async () => {
    const server = await rawServer((socket) => socket.write(honest));
    const source = await profileSource(`${server.url}/v1/{subject}?full=1`, {
      source: { headers: { authorization: { env: 'STEPWELL_SOURCE_CDP' }, 'accept-language': { text: 'de' } } },
      options: { environment: { STEPWELL_SOURCE_CDP: 'Bearer s3cret' }, clock: new VirtualClock() },
    });
    await source.ask(askAbout('a/b', 30.9));
    expect(server.requests).toEqual([
      `GET /v1/a%2Fb?full=1 HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: keep-alive\r\nauthorization: Bearer s3cret\r\n` +
        `accept-language: de\r\naccept: application/json\r\nstepwell-deadline-ms: 30\r\n\r\n`,
    ]);
  });

  it('carries what the policy sends, with times as text, where it is a POST', async () => {
    const server = await rawServer((socket) => socket.write(honest));
    const source = await profileSource(`${server.url}/score`, { source: { method: 'POST', send: ['country', 'device', 'seen'] } });
    const request = { country: 'DE', seen: Date.UTC(2026, 0, 2), referrer: 'search' };
    expect(await source.ask({ subject: 'anna', deviceId: 'd-1', request, leftMs: plentyMs })).toEqual(known('honest'));
    expect(server.requests[0]).toContain('content-type: application/json\r\n');
    expect(server.requests[0]?.split('\r\n\r\n')[1]).toBe(
      '{"subject":"anna","request":{"country":"DE","seen":"2026-01-02T00:00:00.000Z"}}',
    );
  });

  it('is not made for nobody, or for what no address can hold', async () => {
    const server = await rawServer((socket) => socket.write(honest));
    const source = await profileSource(`${server.url}/{subject}`);
    for (const subject of ['', '.', '..', '\ud800']) expect(await source.ask(askAbout(subject))).toEqual({ state: 'failed' });
    expect(source.status()).toMatchObject({ state: 'unknown', fault: 'unsendable' });
    expect(await source.ask({ ...askAbout('x'), subject: null })).toEqual({ state: 'failed' });
    expect(server.requests).toEqual([]);
  });
});
