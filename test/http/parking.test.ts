/** Who is left unread for a while, and who is read again first. */
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createParking, type Parkable } from '../../src/http/parking.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

interface Connection extends Parkable {
  readonly name: string;
  isRead: boolean;
}

function connection(name: string): Connection {
  return {
    name,
    isRead: true,
    destroyed: false,
    pause() {
      this.isRead = false;
    },
    resume() {
      this.isRead = true;
    },
  };
}

function scene() {
  const clock = new VirtualClock();
  const ends: (() => void)[] = [];
  const parking = createParking(clock, (callback) => ends.push(callback));
  /** All that was ready has been read. */
  const endRead = () => {
    for (const end of ends.splice(0)) end();
  };
  const turnOf = (durationMs: number) => {
    endRead();
    // No timer fires before a turn is over.
    parking.turnEnded(clock.monotonicMs() + durationMs, durationMs);
    clock.advance(durationMs);
  };
  const overrun = () => {
    for (let turn = 0; turn < 4; turn += 1) turnOf(40);
  };
  const parkAll = (count: number) =>
    Array.from({ length: count }, (_, index) => {
      const one = connection(`${index}`);
      parking.park(one);
      return one;
    });
  const namesRead = (connections: readonly Connection[]) => connections.filter(({ isRead }) => isRead).map(({ name }) => name);
  return { clock, parking, endRead, turnOf, overrun, parkAll, namesRead };
}

describe('parking', () => {
  it('is for a loop of which no turn is short: there, what is read late in a turn is refused', () => {
    const { parking, turnOf, overrun } = scene();
    turnOf(40);
    turnOf(2);
    turnOf(40);
    expect(parking.isFull(39)).toBe(false);
    overrun();
    expect(parking.isFull(24)).toBe(false);
    expect(parking.isFull(25)).toBe(true);
  });

  it('leaves a connection unread while turns are long', () => {
    const { turnOf, overrun, parkAll, namesRead } = scene();
    overrun();
    const connections = parkAll(3);
    turnOf(20);
    expect(namesRead(connections)).toEqual([]);
  });

  it('leaves nobody unread where the loop keeps up, whatever was refused', () => {
    const { turnOf, parkAll, namesRead } = scene();
    turnOf(2);
    expect(namesRead(parkAll(3))).toHaveLength(3);
  });

  it('reads those again first that were parked last, some after each short turn', () => {
    const { turnOf, overrun, parkAll, namesRead } = scene();
    overrun();
    const connections = parkAll(100);
    turnOf(2);
    expect(namesRead(connections)).toEqual(connections.slice(36).map(({ name }) => name));
    turnOf(2);
    expect(namesRead(connections)).toHaveLength(100);
  });

  it('reads everybody again within a second, and where nothing else is to be done at once', () => {
    const { clock, turnOf, overrun, parkAll, namesRead } = scene();
    overrun();
    const connections = parkAll(3);
    for (let turn = 0; turn < 49; turn += 1) turnOf(20);
    expect(namesRead(connections)).toEqual([]);
    turnOf(30);
    expect(namesRead(connections)).toHaveLength(3);
    overrun();
    const others = parkAll(3);
    clock.advance(20);
    expect(namesRead(others)).toHaveLength(3);
  });

  it('knows how long a request may have waited that is read in the turn after', () => {
    const { clock, parking, turnOf, overrun, parkAll } = scene();
    overrun();
    const [one, other] = parkAll(2) as [Connection, Connection];
    turnOf(8);
    clock.advance(4);
    expect(parking.unreadMs(one)).toBe(12);
    turnOf(1);
    expect(parking.unreadMs(other)).toBe(0);
  });

  it('charges nothing to who comes back to a quiet loop, as the refusal told them', () => {
    const { clock, parking, endRead, overrun, parkAll, namesRead } = scene();
    overrun();
    const connections = parkAll(1);
    clock.advance(20);
    expect(namesRead(connections)).toHaveLength(1);
    endRead();
    clock.advance(1_000);
    expect(parking.unreadMs(connections[0] as Connection)).toBe(0);
  });

  it('keeps the place of one that is parked twice', () => {
    const { clock, turnOf, overrun, parking, parkAll, namesRead } = scene();
    overrun();
    const [first, second] = parkAll(2) as [Connection, Connection];
    for (let turn = 0; turn < 30; turn += 1) turnOf(20);
    parking.park(first);
    for (let turn = 0; turn < 20; turn += 1) turnOf(20);
    clock.advance(0);
    expect(namesRead([first, second])).toHaveLength(2);
  });

  it('forgets who has gone', () => {
    const { turnOf, overrun, parking, parkAll } = scene();
    overrun();
    const [gone] = parkAll(1);
    Object.assign(gone as object, { destroyed: true });
    turnOf(1);
    expect(parking.parked).toBe(0);
    expect((gone as Connection).isRead).toBe(false);
  });

  it('is over when the service closes: everybody is read, and nobody is parked any more', () => {
    const { overrun, parking, parkAll, namesRead } = scene();
    overrun();
    const connections = parkAll(3);
    parking.end();
    expect(namesRead(connections)).toHaveLength(3);
    expect(namesRead(parkAll(1))).toHaveLength(1);
  });
});

/** The next answer's status line, over a connection that is kept. */
function statusOver(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1', 9, 12))));
}

it('a connection that was refused is not read for a while, and is answered on then', async () => {
  let lastingMs = 50;
  const { parking, clock, overrun } = scene();
  overrun();
  const { app } = await startService({ clock, parking, queue: { turnMs: () => 0, lastingMs: () => lastingMs } });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const body = '{"page":"home"}';
  const question = `POST /v1/decide HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  socket.write(question);
  expect(await statusOver(socket)).toBe('503');
  lastingMs = 0;
  let answered: string | null = null;
  const answer = statusOver(socket).then((status) => {
    answered = status;
  });
  socket.write(question);
  // Long enough for an answer, had the question been read.
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(answered).toBeNull();
  clock.advance(20);
  await answer;
  expect(answered).toBe('200');
});
