/** Passes on everything between a store and its Redis, knows which connections hear of changes, and can stop what these hear. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Eavesdropper {
  readonly url: string;
  /** Nothing of what changes arrives any more, while the connections stand. */
  stall(): void;
  /** All of it arrives. */
  resume(): void;
  /** How many connections hear of changes. */
  tracking(): number;
  /** Ends those that do. */
  cut(): void;
  close(): void;
}

export async function startEavesdropper(port: number): Promise<Eavesdropper> {
  const clients = new Set<Socket>();
  const tracking = new Map<Socket, Socket>();
  let isStalled = false;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    clients.add(client);
    client.on('data', (bytes) => {
      if (bytes.includes('TRACKING')) tracking.set(client, upstream);
      upstream.write(bytes);
      if (isStalled && tracking.has(client)) upstream.pause();
    });
    upstream.on('data', (bytes) => client.write(bytes));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        tracking.delete(client);
        clients.delete(client);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
    stall() {
      isStalled = true;
      for (const upstream of tracking.values()) upstream.pause();
    },
    resume() {
      isStalled = false;
      for (const upstream of tracking.values()) upstream.resume();
    },
    tracking: () => tracking.size,
    cut() {
      for (const client of tracking.keys()) client.destroy();
    },
    close() {
      for (const client of clients) client.destroy();
      server.close();
    },
  };
}
