/** One URL for every shape of Redis: what it means, and what a wrong one is answered with. */
import { describe, expect, it } from 'vitest';
import { parseRedisUrl, type RedisAddress } from '../../src/redis/address.ts';
import { openRedisStore } from '../../src/redis/redis-store.ts';

const open = { username: null, password: null, tls: false } as const;
const single = { shape: 'single', db: 0, ...open } as const;

const understood: readonly (readonly [string, RedisAddress])[] = [
  ['redis://h', { ...single, endpoint: { host: 'h', port: 6379 } }],
  ['REDIS://h/', { ...single, endpoint: { host: 'h', port: 6379 } }],
  ['redis://', { ...single, endpoint: { host: '127.0.0.1', port: 6379 } }],
  ['redis://:p%40ss@[::1]:7000/3', { ...single, endpoint: { host: '::1', port: 7000 }, db: 3, password: 'p@ss' }],
  ['rediss://u:p@h:1', { ...single, endpoint: { host: 'h', port: 1 }, username: 'u', password: 'p', tls: true }],
  ['redis://u:p@ss:w@h', { ...single, endpoint: { host: 'h', port: 6379 }, username: 'u', password: 'p@ss:w' }],
  ['unix:///run/redis%20a.sock?db=2', { ...single, endpoint: { path: '/run/redis a.sock' }, db: 2 }],
  ['unix://u:p@/run/redis.sock', { ...single, endpoint: { path: '/run/redis.sock' }, username: 'u', password: 'p' }],
  [
    'redis+sentinel://u:p@h1:1,h2,[::1]:3/my.master-1/4',
    {
      shape: 'sentinel',
      sentinels: [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 26_379 },
        { host: '::1', port: 3 },
      ],
      masterName: 'my.master-1',
      db: 4,
      username: 'u',
      password: 'p',
      tls: false,
    },
  ],
  [
    'redis+cluster://:p@h1,h2:7001,h1',
    {
      shape: 'cluster',
      nodes: [
        { host: 'h1', port: 6379 },
        { host: 'h2', port: 7001 },
      ],
      username: null,
      password: 'p',
      tls: false,
    },
  ],
  ['rediss+cluster://h1', { shape: 'cluster', nodes: [{ host: 'h1', port: 6379 }], ...open, tls: true }],
];

const refused: readonly (readonly [string, string])[] = [
  ['http://user:secret@h', '`http://` is no Redis address; write redis://'],
  ['', 'must begin with its scheme'],
  ['redis:secret', 'must begin with its scheme'],
  ['redis://user:secret@h?enableOfflineQueue=true', 'no parameters'],
  ['redis://user:secret@h:99999', 'from 1 to 65535'],
  ['redis://user:secret@h:0', 'from 1 to 65535'],
  ['redis://user:secret@h/one', 'the database must be a number'],
  ['redis://user:secret@h1,h2', 'names one node and was given 2'],
  ['redis://user:se/cret@h', '%2F'],
  ['redis://user:sec%zzret@h', '%25'],
  ['redis://secret@h', 'a user without a password'],
  ['redis://user:secret@h b', 'no host name'],
  ['unix://secret/run', 'absolute path'],
  ['unix://', 'absolute path'],
  ['unix:///run/secret?x=1', 'no parameter but `db`'],
  ['redis+sentinel://user:secret@h1,h2', 'must name its master'],
  ['redis+sentinel://user:secret@h1,,h2/m', 'empty'],
  ['redis+sentinel://user:secret@h1/m/0/x', 'ends after the database'],
  ['redis+sentinel://user:secret@h1/m/x', 'the database must be a number'],
  ['redis+cluster://user:secret@h1:1,h2:2/3', 'one database only'],
  ['redis+cluster://', 'empty'],
];

describe('a Redis address', () => {
  it.each(understood)('is understood: %s', (url, address) => {
    expect(parseRedisUrl(url)).toEqual(address);
  });

  it.each(refused)('that makes no sense is refused by a sentence that says what to write and gives nothing away: %s', (url, sentence) => {
    const failure = (): unknown => openRedisStore({ url });
    expect(failure).toThrow(sentence);
    expect(failure).toThrow('write ');
    expect(failure).not.toThrow(/secret|cret@|zzret/);
  });
});
