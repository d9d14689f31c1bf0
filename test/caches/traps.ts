/**
 * What an origin must not say, and what each cache makes of it: a small origin that answers everybody by name and sets the headers of a
 * row. Alice, Bob, nobody and Alice again ask on one address; whoever is called by another's name was shown somebody else's answer.
 */
import { createServer, type Server } from 'node:http';
import { type Client, createClient } from './client.ts';

export interface Trap {
  readonly says: string;
  /** In the order in which they are sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** What the service sends with what is one person's. */
  readonly isOurs?: true;
}

const personal = ['Cache-Control', 'private, no-store'] as const;

export const traps: readonly Trap[] = [
  { says: '`private, no-store`', headers: [personal], isOurs: true },
  { says: '`private`', headers: [['Cache-Control', 'private']] },
  { says: '`no-store`', headers: [['Cache-Control', 'no-store']], isOurs: true },
  { says: '`no-cache`', headers: [['Cache-Control', 'no-cache']] },
  { says: '`private, no-cache`', headers: [['Cache-Control', 'private, no-cache']], isOurs: true },
  { says: '`private, max-age=60`', headers: [['Cache-Control', 'private, max-age=60']] },
  { says: '`private, no-store` + `CDN-Cache-Control: max-age=60`', headers: [personal, ['CDN-Cache-Control', 'max-age=60']] },
  { says: '`private, no-store` + `Surrogate-Control: max-age=60`', headers: [personal, ['Surrogate-Control', 'max-age=60']] },
  { says: '`private, no-store` + `Surrogate-Control: content="ESI/1.0"`', headers: [personal, ['Surrogate-Control', 'content="ESI/1.0"']] },
  { says: '`X-Accel-Expires: 60` before `private, no-store`', headers: [['X-Accel-Expires', '60'], personal] },
  { says: '`X-Accel-Expires: 60` after it', headers: [personal, ['X-Accel-Expires', '60']] },
  { says: '`max-age=60`', headers: [['Cache-Control', 'max-age=60']] },
  {
    says: '`max-age=60` + `CDN-Cache-Control: no-store`',
    headers: [
      ['Cache-Control', 'max-age=60'],
      ['CDN-Cache-Control', 'no-store'],
    ],
  },
  {
    says: '`max-age=60` + `Set-Cookie`',
    headers: [
      ['Cache-Control', 'max-age=60'],
      ['Set-Cookie', 'seen=1'],
    ],
  },
  { says: 'nothing', headers: [] },
  {
    says: '`Pragma: no-cache` + `Expires: 0`',
    headers: [
      ['Pragma', 'no-cache'],
      ['Expires', '0'],
    ],
  },
  { says: '`privat, nostore`', headers: [['Cache-Control', 'privat, nostore']] },
  {
    says: '`max-age=60` + `Vary: Authorization, Cookie`',
    headers: [
      ['Cache-Control', 'max-age=60'],
      ['Vary', 'Authorization, Cookie'],
    ],
  },
];

export interface TrapOrigin {
  readonly port: number;
  end(): void;
}

export async function startTrapOrigin(): Promise<TrapOrigin> {
  const server: Server = createServer((request, response) => {
    request.resume();
    const row = Number(new URL(request.url ?? '', 'http://localhost').searchParams.get('row'));
    const who = /Alice|Bob/.exec(`${request.headers.authorization} ${request.headers.cookie}`)?.[0] ?? 'nobody';
    const body = `for ${who}`;
    const headers = [...(traps[row]?.headers ?? []), ['Content-Type', 'text/plain'], ['Content-Length', `${body.length}`]];
    response.writeHead(200, headers.flat()).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const end = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port, end };
}

/** What the row does behind the cache at this port, to people who say who they are in either way, on an address that may be kept. */
export async function leaks(row: number, port: number): Promise<boolean> {
  const client = createClient();
  try {
    return (await isMistaken(client, port, row, 'authorization')) || (await isMistaken(client, port, row, 'cookie'));
  } finally {
    client.close();
  }
}

const askers = ['Alice', 'Bob', 'nobody', 'Alice'] as const;

async function isMistaken(client: Client, port: number, row: number, credential: 'authorization' | 'cookie'): Promise<boolean> {
  for (const who of askers) {
    const headers: Record<string, string> =
      who === 'nobody' ? {} : { [credential]: credential === 'cookie' ? `who=${who}` : `Bearer ${who}` };
    const { status, body } = await client.ask(port, { method: 'GET', path: `/v1/decide?by=${credential}&row=${row}`, headers });
    if (status !== 200) throw new Error(`the origin of the traps was answered for with ${status}`);
    if (body !== `for ${who}` && body !== 'for nobody') return true;
  }
  return false;
}
