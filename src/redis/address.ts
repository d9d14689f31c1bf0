/**
 * A Redis URL to what the driver needs. Only what is listed here is understood: query parameters could switch off the settings
 * that the deadline depends on, so they are refused. Messages never repeat the URL, which may hold a password.
 */
export interface RedisAddress {
  readonly host?: string;
  readonly port?: number;
  /** Of a Unix socket. */
  readonly path?: string;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Record<string, never>;
}

const notYet = ['redis+sentinel:', 'redis+cluster:'];

export function parseRedisUrl(url: string): RedisAddress {
  const scheme = /^[a-z+]+:/i.exec(url)?.[0].toLowerCase() ?? '';
  if (notYet.includes(scheme))
    throw new Error(`Redis addresses of the form \`${scheme}//\` are not yet supported; give one node as \`redis://\``);
  if (!['redis:', 'rediss:', 'unix:'].includes(scheme))
    throw new Error('a Redis address must begin with `redis://`, `rediss://` or `unix://`');
  const parsed = URL.parse(url);
  if (parsed === null)
    throw new Error(`a Redis address must read \`${scheme}//[user:password@]${scheme === 'unix:' ? '/path[?db=0]' : 'host[:port][/db]'}\``);
  const credentials = {
    ...(parsed.username === '' ? {} : { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password === '' ? {} : { password: decodeURIComponent(parsed.password) }),
  };
  if (scheme === 'unix:') return { path: decodeURIComponent(socketPath(parsed)), db: database(socketDatabase(parsed)), ...credentials };
  if (parsed.search !== '' || parsed.hash !== '') throw new Error('a Redis address takes no parameters after `?` or `#`');
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1',
    port: parsed.port === '' ? 6379 : Number(parsed.port),
    db: database(parsed.pathname.replace(/^\//, '')),
    ...(scheme === 'rediss:' ? { tls: {} } : {}),
    ...credentials,
  };
}

function socketPath(parsed: URL): string {
  const path = parsed.host === '' ? parsed.pathname : '';
  if (!path.startsWith('/') || path === '/')
    throw new Error('a Unix socket must be given by its absolute path, as `unix:///run/redis.sock`');
  return path;
}

function socketDatabase(parsed: URL): string {
  const others = [...parsed.searchParams.keys()].filter((name) => name !== 'db');
  if (others.length > 0) throw new Error('a Unix socket takes no parameter but `db`');
  return parsed.searchParams.get('db') ?? '';
}

function database(text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw new Error('the database of a Redis address must be a number');
  return Number(text);
}
