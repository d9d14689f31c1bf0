/** The network that misbehaves on demand, held to what it says it does: a fault that does nothing would prove anything. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Address, type Behaviour, type FaultProxy, healthy, startFaultProxy } from '../../bench/faults/proxy.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Client {
  readonly socket: Socket;
  /** All that came so far. */
  heard(): Buffer;
  /** Resolves once so many bytes came. */
  heardBytes(count: number): Promise<Buffer>;
  readonly closed: Promise<unknown>;
}

/** A server that says back what it hears. */
async function startEcho(path?: string): Promise<Address> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  cleanUps.push(() => server.close());
  const address = server.address();
  if (typeof address === 'string' && path !== undefined) return { path };
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return { host: '127.0.0.1', port: address.port };
}

async function begin(behaviour: Behaviour = healthy): Promise<{ proxy: FaultProxy; client: Client }> {
  const proxy = await startFaultProxy({ target: await startEcho(), seed: 7 });
  cleanUps.push(() => proxy.close());
  const client = await connectTo(proxy.address);
  await proxy.behave(behaviour);
  return { proxy, client };
}

async function connectTo(address: Address): Promise<Client> {
  const socket = connect({ ...address, allowHalfOpen: true });
  cleanUps.push(() => socket.destroy());
  socket.on('error', () => {});
  let heard = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()).once('end', () => resolve()));
  await Promise.race([new Promise<void>((resolve) => socket.once('connect', () => resolve())), closed]);
  return {
    socket,
    heard: () => heard,
    async heardBytes(count) {
      while (heard.length < count) await once(socket, 'data');
      return heard;
    },
    closed,
  };
}

const elapsed = (sinceMs: number): number => performance.now() - sinceMs;
const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** A timer may fire a millisecond before its time. */
const early = 2;

describe('the proxy', () => {
  it('passes everything on while it is healthy, in both directions and however much', async () => {
    const { client } = await begin();
    const sent = Buffer.alloc(3 << 20, 'abcdefgh');
    client.socket.write(sent);
    expect((await client.heardBytes(sent.length)).equals(sent)).toBe(true);
  });

  it('works on Unix sockets', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stepwell-proxy-'));
    cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
    const target = await startEcho(join(directory, 'target.sock'));
    const proxy = await startFaultProxy({ target, listen: { path: join(directory, 'proxy.sock') } });
    cleanUps.push(() => proxy.close());
    const client = await connectTo(proxy.address);
    client.socket.write('hello');
    expect((await client.heardBytes(5)).toString()).toBe('hello');
    await proxy.behave({ refused: true });
    await client.closed;
    await proxy.behave(healthy);
    const another = await connectTo(proxy.address);
    another.socket.write('again');
    expect((await another.heardBytes(5)).toString()).toBe('again');
  });

  it('delays each direction by its own time', async () => {
    const delay = { kind: 'fixed', ms: 30 } as const;
    const { client } = await begin({ toServer: { delay }, toClient: { delay } });
    const sentAtMs = performance.now();
    client.socket.write('x');
    await client.heardBytes(1);
    expect(elapsed(sentAtMs)).toBeGreaterThanOrEqual(60 - 2 * early);
  });

  it('keeps the order of bytes however the delays are drawn', async () => {
    const { client } = await begin({ toServer: { delay: { kind: 'heavy tail', atLeastMs: 0.2, atMostMs: 20, shape: 1 } } });
    const words = Array.from({ length: 50 }, (_, index) => `word ${String(index).padStart(2, '0')};`);
    for (const word of words) {
      client.socket.write(word);
      await pass(0);
    }
    expect((await client.heardBytes(words.join('').length)).toString()).toBe(words.join(''));
  });

  it('lets no more through than its bandwidth', async () => {
    const { client } = await begin({ toClient: { bytesPerSecond: 2_000 } });
    const sentAtMs = performance.now();
    client.socket.write(Buffer.alloc(200));
    await client.heardBytes(200);
    expect(elapsed(sentAtMs)).toBeGreaterThanOrEqual(90 - early);
  });

  it('dribbles', async () => {
    const { client } = await begin({ toClient: { dribbleMs: 5 } });
    const sentAtMs = performance.now();
    client.socket.write('0123456789');
    await client.heardBytes(10);
    expect(elapsed(sentAtMs)).toBeGreaterThanOrEqual(45 - early);
  });

  it('holds everything back in a black hole, and delivers it when that is over', async () => {
    const { proxy, client } = await begin({ toServer: { stalled: true }, toClient: { stalled: true } });
    client.socket.write('held back');
    await pass(50);
    expect(client.heard()).toHaveLength(0);
    await proxy.behave(healthy);
    expect((await client.heardBytes(9)).toString()).toBe('held back');
  });

  it('keeps a half-open connection dead for good, while a new one works', async () => {
    const { proxy, client } = await begin({ toClient: { lost: true } });
    client.socket.write('lost');
    await pass(50);
    await proxy.behave(healthy);
    client.socket.write('lost too');
    await pass(50);
    expect(client.heard()).toHaveLength(0);
    const another = await connectTo(proxy.address);
    another.socket.write('alive');
    expect((await another.heardBytes(5)).toString()).toBe('alive');
  });

  it('cuts an answer short and ends the connection', async () => {
    const { client } = await begin({ toClient: { truncateAfter: 4 } });
    client.socket.write('truncated');
    await client.closed;
    expect(client.heard().toString()).toBe('trun');
  });

  it('sends garbage of the same length, the same for the same seed', async () => {
    const heard = [];
    for (let time = 0; time < 2; time += 1) {
      const { client } = await begin({ toClient: { garbage: true } });
      client.socket.write('an honest answer');
      heard.push((await client.heardBytes(16)).toString('hex'));
    }
    expect(heard[0]).toBe(heard[1]);
    expect(heard[0]).not.toBe(Buffer.from('an honest answer').toString('hex'));
  });

  it('says everything twice', async () => {
    const { client } = await begin({ toClient: { repeated: true } });
    client.socket.write('once');
    expect((await client.heardBytes(8)).toString()).toBe('onceonce');
  });

  it('resets what is open and what is new, until it is healthy again', async () => {
    const { proxy, client } = await begin({ reset: true });
    await client.closed;
    const next = await connectTo(proxy.address);
    await next.closed;
    await proxy.behave(healthy);
    const last = await connectTo(proxy.address);
    last.socket.write('x');
    expect((await last.heardBytes(1)).toString()).toBe('x');
    expect(proxy.accepted).toBe(3);
  });

  it('refuses connections, and listens on the same port again', async () => {
    const { proxy, client } = await begin({ refused: true });
    await client.closed;
    const socket = connect(proxy.address as { host: string; port: number });
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    await proxy.behave(healthy);
    const again = await connectTo(proxy.address);
    again.socket.write('x');
    await again.heardBytes(1);
  });

  it('passes on an end in one direction and leaves the other open', async () => {
    const { client } = await begin({ toClient: { delay: { kind: 'fixed', ms: 20 } } });
    client.socket.end('last words');
    await client.closed;
    expect(client.heard().toString()).toBe('last words');
  });
});
