/**
 * A Redis URL of any shape to what the driver needs. Only what is listed here is understood: parameters could switch off the
 * settings that the deadline depends on, so they are refused. Messages name the part that is wrong and what to write; they never
 * repeat a user, a password or anything that might be one.
 */
export type RedisAddress = SingleAddress | SentinelAddress | ClusterAddress;

export interface SingleAddress extends Access {
  readonly shape: 'single';
  readonly endpoint: Endpoint;
  readonly db: number;
}

/** Sentinels know who the master is; the data lives there. */
export interface SentinelAddress extends Access {
  readonly shape: 'sentinel';
  readonly sentinels: readonly HostPort[];
  readonly masterName: string;
  readonly db: number;
}

/** Some of the cluster's nodes: they name the others. */
export interface ClusterAddress extends Access {
  readonly shape: 'cluster';
  readonly nodes: readonly HostPort[];
}

export type Endpoint = HostPort | SocketPath;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface SocketPath {
  readonly path: string;
}

/** How to get in: without a password as the server's default user, without a user name as that user with a password. */
export interface Access {
  readonly username: string | null;
  readonly password: string | null;
  /** Certificates are checked against the authorities that Node knows; NODE_EXTRA_CA_CERTS adds a private one. */
  readonly tls: boolean;
}

const sentinelPort = 26_379;
const redisPort = 6_379;

const forms = {
  redis: 'redis://[user:password@]host[:port][/db]',
  rediss: 'rediss://[user:password@]host[:port][/db]',
  unix: 'unix://[user:password@]/path[?db=0]',
  'redis+sentinel': 'redis+sentinel://[user:password@]host[:port],host[:port],…/master-name[/db]',
  'rediss+sentinel': 'rediss+sentinel://[user:password@]host[:port],host[:port],…/master-name[/db]',
  'redis+cluster': 'redis+cluster://[user:password@]host[:port],host[:port],…',
  'rediss+cluster': 'rediss+cluster://[user:password@]host[:port],host[:port],…',
} as const;
type Scheme = keyof typeof forms;

interface Parts {
  readonly scheme: Scheme;
  readonly access: Access;
  readonly hosts: string;
  /** Without the slash before it; empty where there is none. */
  readonly path: string;
  readonly query: string;
}

export function parseRedisUrl(url: string): RedisAddress {
  const parts = partsOf(url);
  if (parts.scheme === 'unix') return socketAddress(parts);
  if (parts.query !== '') throw new Error(`a Redis address takes no parameters after \`?\`; write ${forms[parts.scheme]}`);
  if (parts.scheme.endsWith('+sentinel')) return sentinelAddress(parts);
  if (parts.scheme.endsWith('+cluster')) return clusterAddress(parts);
  const [endpoint, ...more] = hostList(parts, redisPort);
  if (endpoint === undefined || more.length > 0)
    throw new Error(
      `\`${parts.scheme}://\` names one node and was given ${more.length + 1}; write ${forms[parts.scheme]}, redis+sentinel:// or redis+cluster://`,
    );
  return { shape: 'single', endpoint, db: database(parts, parts.path), ...parts.access };
}

function partsOf(url: string): Parts {
  const given = /^([a-z][a-z+]{0,31}):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (given === undefined || !isScheme(given)) {
    const subject = given === undefined ? 'a Redis address must begin with its scheme' : `\`${given}://\` is no Redis address`;
    throw new Error(`${subject}; write redis://host, rediss://host, unix:///path, ${forms['redis+sentinel']} or ${forms['redis+cluster']}`);
  }
  const match = /^[^:]+:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#@]*))?(?:\?([^#]*))?$/.exec(url);
  const access = match === null ? null : accessOf(match[1], given);
  if (match === null || access === null)
    throw new Error(
      `the \`${given}://\` address cannot be taken apart; write ${forms[given]}, and / ? # @ : % in a user or a password as %2F %3F %23 %40 %3A %25`,
    );
  return { scheme: given, access, hosts: match[2] ?? '', path: match[3] ?? '', query: match[4] ?? '' };
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(forms, text);
}

function accessOf(userinfo: string | undefined, scheme: Scheme): Access | null {
  const tls = scheme.startsWith('rediss');
  if (userinfo === undefined || userinfo === '') return { username: null, password: null, tls };
  const colon = userinfo.indexOf(':');
  const [username, password] =
    colon < 0 ? [decoded(userinfo), ''] : [decoded(userinfo.slice(0, colon)), decoded(userinfo.slice(colon + 1))];
  if (username === null || password === null) return null;
  if (password === '')
    throw new Error(`a user without a password was given; write ${forms[scheme]}, or \`:password@\` for the default user`);
  return { username: username === '' ? null : username, password, tls };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function socketAddress(parts: Parts): SingleAddress {
  const path = decoded(parts.path);
  if (parts.hosts !== '' || path === null || path === '')
    throw new Error(`a Unix socket must be given by its absolute path, as unix:///run/redis.sock; write ${forms.unix}`);
  const match = /^(?:db=([^&]*))?$/.exec(parts.query);
  if (match === null) throw new Error(`a Unix socket takes no parameter but \`db\`; write ${forms.unix}`);
  return { shape: 'single', endpoint: { path: `/${path}` }, db: database(parts, match[1] ?? ''), ...parts.access };
}

function sentinelAddress(parts: Parts): SentinelAddress {
  const [name = '', db = '', ...more] = parts.path.split('/');
  const masterName = decoded(name);
  if (masterName === null || !/^[\w.-]+$/.test(masterName))
    throw new Error(
      `a Sentinel address must name its master, as \`mymaster\` in Sentinel's own configuration; write ${forms[parts.scheme]}`,
    );
  if (more.length > 0) throw new Error(`a Sentinel address ends after the database; write ${forms[parts.scheme]}`);
  return { shape: 'sentinel', sentinels: hostList(parts, sentinelPort), masterName, db: database(parts, db), ...parts.access };
}

function clusterAddress(parts: Parts): ClusterAddress {
  if (parts.path !== '' && parts.path !== '0')
    throw new Error(`a cluster has one database only, so nothing stands after its nodes; write ${forms[parts.scheme]}`);
  return { shape: 'cluster', nodes: hostList(parts, redisPort), ...parts.access };
}

function hostList(parts: Parts, defaultPort: number): readonly HostPort[] {
  const hosts = parts.hosts.split(',').map((text) => hostPort(text.trim(), defaultPort, parts.scheme));
  const byName = new Map(hosts.map((one) => [`${one.host} ${one.port}`, one]));
  return [...byName.values()];
}

function hostPort(text: string, defaultPort: number, scheme: Scheme): HostPort {
  if (text === '' && !scheme.includes('+')) return { host: '127.0.0.1', port: defaultPort };
  const match = /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d*))?$/i.exec(text);
  if (match === null) throw new Error(`a host of the \`${scheme}://\` address is empty or no host name; write ${forms[scheme]}`);
  const port = match[2] === undefined || match[2] === '' ? defaultPort : Number(match[2]);
  if (port < 1 || port > 65_535) throw new Error(`a port is not a number from 1 to 65535; write ${forms[scheme]}`);
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

function database({ scheme }: Parts, text: string): number {
  if (text === '') return 0;
  if (!/^\d{1,5}$/.test(text)) throw new Error(`the database must be a number, such as 0; write ${forms[scheme]}`);
  return Number(text);
}
