/**
 * A decide service that behaves as it is told: passes everything on to a real one, or fails in one of the ways in which services
 * fail. It keeps its address throughout, so that one renderer can be taken through an outage and out of it again.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a renderer must survive, and what each looks like on the wire. */
export const outages = {
  slow: 'accepts the request and says nothing',
  dead: 'refuses the connection',
  dribbling: 'sends the headers at once, and the right body a byte at a time, for ever',
  resetting: 'resets the connection instead of answering',
  'resetting midway': 'resets the connection after half of the body',
  empty: 'answers 200 with no body',
  'cut short': 'closes the connection before all that it announced',
  garbage: 'answers 200 with a page of something else',
  'of another shape': 'answers 200 with JSON that is no decision',
  failing: 'answers 500',
  redirecting: 'sends the caller elsewhere',
  endless: 'answers 200 and never stops sending',
} as const;

export type Outage = keyof typeof outages;
export const everyOutage = Object.keys(outages) as readonly Outage[];

export interface MisbehavingService {
  readonly url: string;
  /** How often it was asked, in whatever manner it then answered. */
  asked(): number;
  behave(manner: 'well' | Outage): Promise<void>;
}

const betweenBytesMs = 20;

export async function openMisbehavingService(realUrl: string): Promise<MisbehavingService & { stop(): Promise<void> }> {
  let manner: 'well' | Outage = 'well';
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    answer(manner, request, response, realUrl).catch(() => response.destroy());
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  const close = () =>
    new Promise<void>((resolve) => {
      if (!server.listening) return resolve();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked: () => asked,
    async behave(wanted) {
      manner = wanted;
      // Whatever hangs belongs to the manner before.
      server.closeAllConnections();
      if (wanted === 'dead') await close();
      else if (!server.listening) await listen(port);
    },
    stop: close,
  };
}

async function answer(manner: 'well' | Outage, request: IncomingMessage, response: ServerResponse, realUrl: string): Promise<void> {
  // A caller that has given up must not end the test.
  response.on('error', () => {});
  const body = await bodyOf(request);
  switch (manner) {
    case 'well': {
      const real = await askReal(request, body, realUrl);
      response.writeHead(real.status, real.headers).end(real.body);
      return;
    }
    case 'slow':
    case 'dead':
      return;
    case 'dribbling': {
      const real = await askReal(request, body, realUrl);
      // With what a page of another origin must hear first, or its browser would break off at the headers.
      response.writeHead(real.status, real.headers);
      if (request.method === 'OPTIONS') response.end();
      else dribble(response, real.body);
      return;
    }
    case 'resetting':
      request.socket.resetAndDestroy();
      return;
    case 'resetting midway': {
      const real = await askReal(request, body, realUrl);
      response.writeHead(real.status, { ...real.headers, 'content-length': real.body.length });
      response.write(real.body.subarray(0, real.body.length >> 1), () => request.socket.resetAndDestroy());
      return;
    }
    case 'empty':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 0 }).end();
      return;
    case 'cut short': {
      const real = await askReal(request, body, realUrl);
      response.writeHead(real.status, { ...real.headers, 'content-length': real.body.length + 1000 });
      response.write(real.body, () => request.socket.end());
      return;
    }
    case 'garbage':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><h1>Sign in to the hotel network</h1>\n'.repeat(20));
      return;
    case 'of another shape':
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ zones: [{ zone: 'hero', variant: 7, content: null, render: 'now' }, null, 'hero'], policy: [] }));
      return;
    case 'failing':
      response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Internal Server Error</h1>');
      return;
    case 'redirecting':
      response.writeHead(307, { location: `${realUrl}${request.url}` }).end();
      return;
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/json' });
      flood(response);
  }
}

interface RealAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'content-encoding']);

async function askReal(request: IncomingMessage, body: Buffer, realUrl: string): Promise<RealAnswer> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (typeof value === 'string' && !hopByHop.has(name) && name !== 'host') headers.set(name, value);
  }
  const { method = 'GET' } = request;
  const sent = method === 'GET' || method === 'HEAD' ? {} : { body: new Uint8Array(body) };
  const response = await fetch(`${realUrl}${request.url}`, { method, headers, ...sent });
  const passedOn = [...response.headers].filter(([name]) => !hopByHop.has(name));
  return { status: response.status, headers: Object.fromEntries(passedOn), body: Buffer.from(await response.arrayBuffer()) };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The last byte never comes: however patient the caller, what it has is not all. */
function dribble(response: ServerResponse, body: Buffer): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < body.length - 1) response.write(body.subarray(at, ++at));
  }, betweenBytesMs);
  response.once('close', () => clearInterval(timer));
}

function flood(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '.repeat(4096)), 1);
  response.once('close', () => clearInterval(timer));
}
