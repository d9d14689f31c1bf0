/**
 * The gentle half of closing a server. First, while requests still come, each is answered, and the answer says that it is the last
 * on its connection: a caller may send its next request in the very moment in which we let go of a connection it keeps. Then the
 * port closes, once nobody stands at the door: the system resets whoever has connected and was not taken in.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../time/clock.ts';

/** What a process does not decide alone where several serve one port. */
export interface Door {
  /** Resolves when this process may close the port. */
  mayShut(): Promise<void>;
  /** Resolves when somebody who had come when it asked has been handed to this process, if there was anybody. */
  look(): Promise<void>;
  /** How many times to look. Answers are held back meanwhile; where somebody comes all the time, somebody will be the last. */
  readonly looksMax: number;
  /** Resolves when nobody is handed to this process any more: until then it must live, to hand them back. */
  hasShut(): Promise<void>;
}

type DrainClock = Pick<Clock, 'after'>;

const ownDoor: Door = { mayShut: async () => {}, look: async () => {}, looksMax: 10, hasShut: async () => {} };

const lookEveryMs = 50;
/** Looks rather than time: between two of them, whatever has reached this process is read, however busy the machine is. */
const quietLooksMax = 8;
/** Whoever ignores what the answers say does not hold us up for ever. */
const looksMax = 40;

export async function drain(server: Server, clock: DrainClock, door: Door = ownDoor): Promise<void> {
  if (!server.listening) return;
  await sayGoodbye(server, clock);
  await door.mayShut();
  await shutDoor(server, clock, door);
  await door.hasShut();
}

async function sayGoodbye(server: Server, clock: DrainClock): Promise<void> {
  let quietLooks = 0;
  server.prependListener('request', (_request, response) => {
    quietLooks = 0;
    response.setHeader('connection', 'close');
  });
  for (let looks = 0; looks < looksMax && quietLooks < quietLooksMax; looks += 1) {
    if ((await connectionsOf(server)) === 0) return;
    quietLooks += 1;
    await passed(lookEveryMs, clock);
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error === null ? count : 0)));
}

const doorLookMs = 2;
/** One who has just had an answer may be on the way back. */
const quietDoorLooks = 2;
const turnsMax = 1000;

/**
 * For a few milliseconds requests are held back, and with them the callers' next connections, until nobody comes any more.
 * INVARIANT: the port closes in the turn of the event loop in which the system has just said that nobody is waiting, so that only
 * who comes in these microseconds is reset.
 */
async function shutDoor(server: Server, clock: DrainClock, door: Door): Promise<void> {
  let came = false;
  const take = (): void => {
    came = true;
  };
  server.prependListener('connection', take);
  const release = holdRequests(server);
  let quietLooks = 0;
  for (let looks = 0; quietLooks < quietDoorLooks && looks < door.looksMax; looks += 1) {
    came = false;
    await passed(doorLookMs, clock);
    await door.look();
    await turn();
    quietLooks = came ? 0 : quietLooks + 1;
  }
  for (let turns = 0; came && turns < turnsMax; turns += 1) {
    came = false;
    await turn();
  }
  server.close();
  server.off('connection', take);
  release();
}

function holdRequests(server: Server): () => void {
  const held: [IncomingMessage, ServerResponse][] = [];
  const listeners = server.listeners('request') as ((...parts: [IncomingMessage, ServerResponse]) => void)[];
  server.removeAllListeners('request');
  const hold = (...parts: [IncomingMessage, ServerResponse]): void => void held.push(parts);
  server.on('request', hold);
  return () => {
    server.off('request', hold);
    for (const listener of listeners) server.on('request', listener);
    for (const parts of held) server.emit('request', ...parts);
  };
}

function passed(ms: number, clock: DrainClock): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

/** All that is ready has been read when it resolves. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
