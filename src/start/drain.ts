/**
 * The gentle half of closing a server. A caller may send its next request on a connection it keeps in the very moment in which we
 * let go of it, and would get no answer. So, while requests still come, each is answered, and the answer says that it is the last.
 */
import type { Server } from 'node:http';
import type { Clock } from '../time/clock.ts';

const lookEveryMs = 50;
/** Looks rather than time: between two of them, whatever has reached this process is read, however busy the machine is. */
const quietLooksMax = 8;
/** Whoever ignores what the answers say does not hold us up for ever. */
const looksMax = 40;

export async function drain(server: Server, clock: Pick<Clock, 'after'>): Promise<void> {
  if (!server.listening) return;
  let quietLooks = 0;
  server.prependListener('request', (_request, response) => {
    quietLooks = 0;
    response.setHeader('connection', 'close');
  });
  for (let looks = 0; looks < looksMax && quietLooks < quietLooksMax; looks += 1) {
    if ((await connectionsOf(server)) === 0) return;
    quietLooks += 1;
    await new Promise<void>((resolve) => clock.after(lookEveryMs, resolve));
  }
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, count) => resolve(error === null ? count : 0)));
}
