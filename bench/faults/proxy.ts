/**
 * A network that misbehaves on demand: stands between a client and a server on TCP or a Unix socket and passes bytes on as its
 * behaviour says, which may change at any moment and then holds for connections that are already open too.
 *
 * It never reorders the bytes of a direction, and loses some only where it says so: a network that loses packets sends them again.
 */
import { unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Random, randomFrom } from './random.ts';

export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export type Delay =
  | { readonly kind: 'fixed'; readonly ms: number }
  /** Pareto: most are near `atLeastMs`, a few are very long, none is longer than `atMostMs`. A small `shape` has a heavy tail. */
  | { readonly kind: 'heavy tail'; readonly atLeastMs: number; readonly atMostMs: number; readonly shape: number };

/** What happens to the bytes of one direction. Absent: nothing. */
export interface Lane {
  readonly delay?: Delay;
  readonly bytesPerSecond?: number;
  /** A byte each so many milliseconds. */
  readonly dribbleMs?: number;
  /** A black hole: nothing passes while this holds, and all of it afterwards, as a network does that sends again. */
  readonly stalled?: boolean;
  /** Half-open: the bytes are gone, and so is this direction of every connection that ever lost one, for good. */
  readonly lost?: boolean;
  /** After so many bytes of a chunk the connection is ended, as if the other side had ended it. */
  readonly truncateAfter?: number;
  /** Random bytes instead. */
  readonly garbage?: boolean;
  /** Every chunk once more: from then on each reply answers the question before. */
  readonly repeated?: boolean;
}

export interface Behaviour {
  readonly toServer?: Lane;
  readonly toClient?: Lane;
  /** Nobody listens any more, and what was open is reset. */
  readonly refused?: boolean;
  /** Connections are made and reset in the same moment; what was open is reset. */
  readonly reset?: boolean;
}

export const healthy: Behaviour = {};

export interface FaultProxy {
  /** Where clients connect. */
  readonly address: Address;
  /** Connections made since the start. */
  readonly accepted: number;
  readonly open: number;
  behave(behaviour: Behaviour): Promise<void>;
  /** Resets what is open, once. */
  resetAll(): void;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  readonly target: Address;
  /** Absent: any free port of the loopback. */
  readonly listen?: Address;
  readonly seed?: number;
}

export async function startFaultProxy({ target, listen, seed = 1 }: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new RunningProxy(target, randomFrom(seed));
  await proxy.listen(listen ?? { host: '127.0.0.1', port: 0 });
  return proxy;
}

class RunningProxy implements FaultProxy {
  readonly #target: Address;
  readonly #random: Random;
  readonly #pairs = new Set<Pair>();
  #server: Server | null = null;
  #address: Address | null = null;
  #behaviour: Behaviour = healthy;
  #accepted = 0;

  constructor(target: Address, random: Random) {
    this.#target = target;
    this.#random = random;
  }

  get address(): Address {
    if (this.#address === null) throw new Error('the proxy does not listen yet');
    return this.#address;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get open(): number {
    return this.#pairs.size;
  }

  async listen(at: Address): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    if ('path' in at) removeSocket(at.path);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if ('path' in at) server.listen(at.path, resolve);
      else server.listen(at.port, at.host, resolve);
    });
    this.#server = server;
    const bound = server.address();
    this.#address = 'path' in at || bound === null || typeof bound === 'string' ? at : { host: at.host, port: bound.port };
  }

  async behave(behaviour: Behaviour): Promise<void> {
    this.#behaviour = behaviour;
    if (behaviour.refused === true || behaviour.reset === true) this.resetAll();
    if (behaviour.refused === true) await this.#stopListening();
    else if (this.#server === null) await this.listen(this.address);
    for (const pair of this.#pairs) pair.behave(behaviour);
  }

  resetAll(): void {
    for (const pair of this.#pairs) pair.reset();
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) pair.reset();
    await this.#stopListening();
  }

  async #stopListening(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    // Not awaited to its end: what is open was reset, and ends by itself.
    server?.close();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    client.on('error', () => {});
    if (this.#behaviour.reset === true || this.#server === null) {
      resetSocket(client);
      return;
    }
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const pair = new Pair({ client, server, random: this.#random, behaviour: this.#behaviour, onEnd: () => this.#pairs.delete(pair) });
    this.#pairs.add(pair);
  }
}

interface PairParts {
  readonly client: Socket;
  readonly server: Socket;
  readonly random: Random;
  readonly behaviour: Behaviour;
  readonly onEnd: () => void;
}

/** One client's connection, and the one to the server that was made for it. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #toServer: Flow;
  readonly #toClient: Flow;

  constructor({ client, server, random, behaviour, onEnd }: PairParts) {
    this.#client = client;
    this.#server = server;
    this.#toServer = new Flow(client, server, random);
    this.#toClient = new Flow(server, client, random);
    this.behave(behaviour);
    for (const socket of [client, server]) {
      if ('setNoDelay' in socket) socket.setNoDelay(true);
      socket.once('close', (hadError) => {
        // After an orderly end there may still be bytes on their way to the other side.
        if (hadError) this.reset();
        if (client.destroyed && server.destroyed) onEnd();
      });
      socket.on('error', () => {});
    }
  }

  behave({ toServer = {}, toClient = {} }: Behaviour): void {
    this.#toServer.behave(toServer);
    this.#toClient.behave(toClient);
  }

  reset(): void {
    this.#toServer.stop();
    this.#toClient.stop();
    for (const socket of [this.#client, this.#server]) resetSocket(socket);
  }
}

interface Waiting {
  readonly bytes: Buffer;
  readonly dueAtMs: number;
}

const waitingBytesMax = 1 << 20;
/** With a bandwidth, this much of a second's worth leaves at once. */
const sliceMs = 10;

/** One direction of one connection. */
class Flow {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #random: Random;
  #lane: Lane = {};
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #lastDueAtMs = 0;
  #isDeaf = false;
  #hasEnded = false;
  #timer: NodeJS.Timeout | null = null;
  /** With a bandwidth or a dribble: nothing more leaves before. */
  #nextWriteAtMs = 0;

  constructor(from: Socket, to: Socket, random: Random) {
    this.#from = from;
    this.#to = to;
    this.#random = random;
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => {
      this.#hasEnded = true;
      this.#pass();
    });
  }

  behave(lane: Lane): void {
    this.#lane = lane;
    this.#pass();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#isDeaf = true;
  }

  #take(bytes: Buffer): void {
    const lane = this.#lane;
    if (lane.lost === true) this.#isDeaf = true;
    if (this.#isDeaf) return;
    this.#wait(lane.garbage === true ? this.#noise(bytes.length) : bytes);
    if (lane.repeated === true) this.#wait(bytes);
    if (this.#waitingBytes > waitingBytesMax) this.#from.pause();
    this.#pass();
  }

  #wait(bytes: Buffer): void {
    const now = performance.now();
    this.#lastDueAtMs = Math.max(this.#lastDueAtMs, now + this.#delayMs());
    this.#waiting.push({ bytes, dueAtMs: this.#lastDueAtMs });
    this.#waitingBytes += bytes.length;
  }

  #delayMs(): number {
    const { delay } = this.#lane;
    if (delay === undefined) return 0;
    if (delay.kind === 'fixed') return delay.ms;
    return Math.min(delay.atMostMs, delay.atLeastMs / (1 - this.#random()) ** (1 / delay.shape));
  }

  #noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => Math.floor(this.#random() * 256)));
  }

  /** Passes on what is due, and comes back when more is. */
  #pass(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#lane.stalled !== true && !this.#to.destroyed) {
      const next = this.#waiting[0];
      if (next === undefined) {
        if (this.#hasEnded) this.#to.end();
        return;
      }
      const waitMs = Math.max(next.dueAtMs, this.#nextWriteAtMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pass(), waitMs);
        return;
      }
      if (!this.#write(next)) return;
    }
  }

  /** False where this direction has come to its end. */
  #write({ bytes, dueAtMs }: Waiting): boolean {
    const { truncateAfter } = this.#lane;
    if (truncateAfter !== undefined && bytes.length > truncateAfter) {
      this.#to.write(bytes.subarray(0, truncateAfter));
      this.#to.end();
      this.stop();
      return false;
    }
    const part = bytes.subarray(0, this.#partBytes());
    const rest = bytes.subarray(part.length);
    this.#to.write(part);
    this.#waitingBytes -= part.length;
    if (rest.length > 0) this.#waiting[0] = { bytes: rest, dueAtMs };
    else this.#waiting.shift();
    if (this.#waitingBytes <= waitingBytesMax && this.#from.isPaused()) this.#from.resume();
    this.#nextWriteAtMs = performance.now() + this.#pauseMs(part.length);
    return true;
  }

  #partBytes(): number {
    const { dribbleMs, bytesPerSecond } = this.#lane;
    if (dribbleMs !== undefined) return 1;
    return bytesPerSecond === undefined ? Number.MAX_SAFE_INTEGER : Math.max(1, Math.round((bytesPerSecond * sliceMs) / 1000));
  }

  #pauseMs(written: number): number {
    const { dribbleMs, bytesPerSecond } = this.#lane;
    if (dribbleMs !== undefined) return dribbleMs;
    return bytesPerSecond === undefined ? 0 : (written * 1000) / bytesPerSecond;
  }
}

/** A Unix socket knows no reset: its other end is told that it is gone. */
function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There was none.
  }
}
