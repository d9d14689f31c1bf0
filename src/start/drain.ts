/**
 * The gentle half of closing a server. A caller may send its next request on a connection it keeps in the very moment in which we
 * let go of it, and would get no answer. So, for a moment, everybody is still answered, and each answer says that it is the last.
 */
import type { Server } from 'node:http';
import type { Clock } from '../time/clock.ts';

const lookEveryMs = 50;
/** Looks rather than time: between two of them, whatever has reached this process is read, however busy the machine is. */
const looksMax = 5;

export async function drain(server: Server, clock: Pick<Clock, 'after'>): Promise<void> {
  if (!server.listening) return;
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  for (let looks = 0; looks < looksMax; looks += 1) {
    if ((await connectionsOf(server)) === 0) return;
    await new Promise<void>((resolve) => clock.after(lookEveryMs, resolve));
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error === null ? count : 0)));
}
