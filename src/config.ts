/**
 * The environment, read once into a frozen, checked config. Every mistake is reported at once, each with the variable, what
 * was given (never for a secret) and what is allowed. Reads no file and opens nothing.
 */
import { BlockList } from 'node:net';
import { nearestName } from './policy/suggest.ts';
import { proofTargetOf } from './records/proof-target.ts';
import { parseRedisUrl } from './redis/address.ts';
import { isNetwork } from './sources/address-guard.ts';
import { originOf } from './sources/origins.ts';

export interface Config {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly managementHost: string;
  readonly managementPort: number;
  /** Null: the embedded store in the data directory. */
  readonly redisUrl: string | null;
  /** What each worker may hold of Redis' records in its memory; 0: nothing. */
  readonly nearCacheBytes: number;
  readonly dataDir: string;
  /** Null: the demo policy with its demo data. */
  readonly policyPath: string | null;
  /** What HTTP sources of a policy may be asked, each in its one form. */
  readonly httpOrigins: readonly string[];
  /** CIDR: addresses that are not public and may be asked all the same. */
  readonly httpNetworks: readonly string[];
  /** Path of the token issuer's key set. Null, like the address: no token verifies, except those of the demo's own issuer. */
  readonly jwksPath: string | null;
  /** Address of the token issuer's key set, https, or http on this machine; at most one of the two is given. */
  readonly jwksUrl: string | null;
  readonly tokenIssuer: string | null;
  readonly tokenAudience: string | null;
  /** URLs that a holder's proof may name, each in its one form; empty: no proof is accepted, except in the demo. */
  readonly proofTargets: readonly string[];
  /** Null: a random one, kept in the data directory. */
  readonly sessionSecret: string | null;
  /** Path of what signs the artefacts of devices; null: a random key, kept in the data directory. */
  readonly artefactKeyPath: string | null;
  /** Null: a random one, kept beside the records. */
  readonly keySecret: string | null;
  /** Path of the file of API keys; null: loopback callers may do everything and nobody else gets in. */
  readonly apiKeysPath: string | null;
  /** Whether `GET /v1/decide` may be called without a key. */
  readonly publicGet: boolean;
  /** In which headers a cacheable answer says what it is purged by. */
  readonly cacheTags: readonly CacheTagHeader[];
  /** In which headers it tells CDNs alone how long it may be kept, besides `Cache-Control`. */
  readonly cdnHeaders: readonly CdnHeader[];
  /** Origins whose pages may call from a browser, each in its one form; none: no page may. */
  readonly corsOrigins: readonly string[];
  /** Null: the service speaks plain HTTP, as behind a proxy that ends TLS. */
  readonly tls: TlsPaths | null;
  /** Path of the record of all writes, or one of `auditWords`; null: in the data directory. */
  readonly auditLog: string | null;
  readonly workers: number;
  readonly logLevel: LogLevel;
}

export interface TlsPaths {
  readonly certificate: string;
  readonly key: string;
  /** Whoever has no certificate of this authority is not let in; null: nobody is asked for one. */
  readonly clientAuthority: string | null;
}

/** Fastly · Cloudflare · Akamai · Varnish. */
const cacheTagHeaders = ['surrogate-key', 'cache-tag', 'edge-cache-tag', 'xkey'] as const;
export type CacheTagHeader = (typeof cacheTagHeaders)[number];
export const defaultCacheTags: readonly CacheTagHeader[] = ['surrogate-key', 'cache-tag'];
/** RFC 9213 · the Edge Architecture Specification. */
const cdnHeaders = ['cdn-cache-control', 'surrogate-control'] as const;
export type CdnHeader = (typeof cdnHeaders)[number];

export const auditWords = { toStandardOutput: '-', off: 'off' } as const;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

/** Each variable with one line of help, in the order in which a reader wants to meet them. */
export const variables = {
  STEPWELL_HOST: 'address to listen on (127.0.0.1); any other than loopback needs STEPWELL_API_KEYS',
  STEPWELL_PORT: 'port of the service (8080)',
  STEPWELL_MANAGEMENT_HOST: 'address of the management port (127.0.0.1)',
  STEPWELL_MANAGEMENT_PORT: 'port of health, status and metrics (9090)',
  STEPWELL_REDIS_URL: 'redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// (absent: the embedded store)',
  STEPWELL_NEAR_CACHE_BYTES: "how much of Redis' records each worker may hold in memory (67108864, 64 MiB); 0: none",
  STEPWELL_DATA_DIR: 'where the embedded store and generated secrets live (.stepwell)',
  STEPWELL_POLICY: 'path of a .yaml, .yml or .json policy (absent: the demo policy and its demo data)',
  STEPWELL_HTTP_ORIGINS: "what a policy's HTTP sources may be asked: origins, comma-separated (absent: nothing)",
  STEPWELL_HTTP_NETWORKS: 'networks that are not public and may be asked all the same: CIDR, comma-separated (absent: none)',
  STEPWELL_JWKS:
    "path or https URL of the token issuer's key set (absent: in the demo its own issuer; with STEPWELL_POLICY no token verifies)",
  STEPWELL_TOKEN_ISSUER: 'the `iss` a token must carry',
  STEPWELL_TOKEN_AUDIENCE: 'the `aud` a token must carry',
  STEPWELL_PROOF_TARGETS:
    'URLs a holder proof may name, comma-separated, as callers know this service (absent: none, so no class S2 or S3 is served)',
  STEPWELL_SESSION_SECRET: 'secret that signs session ids (absent: random, kept in the data directory)',
  STEPWELL_ARTEFACT_KEY:
    'path of the private key, a JWK or a JWK set whose first key is private, that signs what devices decide by (absent: made, and kept in the data directory); read again on SIGHUP',
  STEPWELL_KEY_SECRET:
    'secret of the names that records are stored under (absent: random, kept beside the records); with another one nothing stored is found again',
  STEPWELL_API_KEYS: 'path of a JSON file [{ "id", "sha256", "scopes": [] }]; read again when it changes and on SIGHUP',
  STEPWELL_PUBLIC_GET: '1: GET /v1/decide may be called without a key',
  STEPWELL_CACHE_TAGS: `headers with the tags that a cacheable answer is purged by, of ${cacheTagHeaders.join(', ')}, or \`none\` (surrogate-key,cache-tag)`,
  STEPWELL_CDN_HEADERS: `headers that tell CDNs alone how long a cacheable answer lives, of ${cdnHeaders.join(', ')} (absent: none)`,
  STEPWELL_CORS_ORIGINS: 'origins whose pages may call from a browser, comma-separated: https://www.shop.example (absent: none)',
  STEPWELL_TLS_CERT: 'path of a certificate chain in PEM: the service then speaks HTTPS only (absent: plain HTTP)',
  STEPWELL_TLS_KEY: 'path of its private key in PEM',
  STEPWELL_TLS_CLIENT_CA:
    'path of the authorities, in PEM, one of which must have signed the certificate of every caller (absent: none needed)',
  STEPWELL_AUDIT_LOG: 'path of the record of all writes, `-` for standard output, or `off` (audit.ndjson in the data directory)',
  STEPWELL_WORKERS: 'processes that serve on the one port, from 1 to 64 (1)',
  STEPWELL_LOG_LEVEL: `${logLevels.join(', ')} (info)`,
} as const;
type Variable = keyof typeof variables;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

const secretLengthMin = 16;
const workersMax = 64;
/** More is a slip of the keyboard: it would not fit into a process of Node. */
const nearCacheBytesMax = 2 ** 32;

export function readConfig(env: Environment): Config {
  const problems = unknownVariables(env);
  const read = createReader(env, problems);
  const config: Config = {
    host: read('STEPWELL_HOST', '127.0.0.1', hostName),
    port: read('STEPWELL_PORT', 8080, portNumber),
    managementHost: read('STEPWELL_MANAGEMENT_HOST', '127.0.0.1', hostName),
    managementPort: read('STEPWELL_MANAGEMENT_PORT', 9090, portNumber),
    redisUrl: read('STEPWELL_REDIS_URL', null, redisUrl),
    nearCacheBytes: read('STEPWELL_NEAR_CACHE_BYTES', 64 * 2 ** 20, byteCount),
    dataDir: read('STEPWELL_DATA_DIR', '.stepwell', anyText),
    policyPath: read('STEPWELL_POLICY', null, policyPath),
    httpOrigins: Object.freeze(read('STEPWELL_HTTP_ORIGINS', [], originList)),
    httpNetworks: Object.freeze(read('STEPWELL_HTTP_NETWORKS', [], networkList)),
    ...read('STEPWELL_JWKS', noKeySet, keySetPlace),
    tokenIssuer: read('STEPWELL_TOKEN_ISSUER', null, anyText),
    tokenAudience: read('STEPWELL_TOKEN_AUDIENCE', null, anyText),
    proofTargets: Object.freeze(read('STEPWELL_PROOF_TARGETS', [], proofTargetList)),
    sessionSecret: read('STEPWELL_SESSION_SECRET', null, secret(longSecret)),
    artefactKeyPath: read('STEPWELL_ARTEFACT_KEY', null, filePath),
    keySecret: read('STEPWELL_KEY_SECRET', null, secret(longSecret)),
    apiKeysPath: read('STEPWELL_API_KEYS', null, filePath),
    publicGet: read('STEPWELL_PUBLIC_GET', false, yesOrNo),
    cacheTags: Object.freeze(read('STEPWELL_CACHE_TAGS', [...defaultCacheTags], headerList(cacheTagHeaders))),
    cdnHeaders: Object.freeze(read('STEPWELL_CDN_HEADERS', [], headerList(cdnHeaders))),
    corsOrigins: Object.freeze(read('STEPWELL_CORS_ORIGINS', [], pageOriginList)),
    tls: tlsPathsOf(read, problems),
    auditLog: read('STEPWELL_AUDIT_LOG', null, filePath),
    workers: read('STEPWELL_WORKERS', 1, workerCount),
    logLevel: read('STEPWELL_LOG_LEVEL', 'info', logLevel),
  };
  problems.push(...contradictions(config));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  // Only an IPv6 address has a colon; Node's own question costs five milliseconds of every start.
  return loopback.check(host, host.includes(':') ? 'ipv6' : 'ipv4');
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** A value understood, or what should have been written instead. */
type Parsed<T> = { readonly value: T } | Mistake;
type Mistake =
  | { readonly allowed: string; readonly secret?: true }
  /** The whole sentence, where it can say more than the value may. */
  | { readonly problem: string };
type Parser<T> = (text: string) => Parsed<T>;

function createReader(env: Environment, problems: string[]) {
  return <T, F>(variable: Variable, fallback: F, parse: Parser<T>): T | F => {
    const text = env[variable]?.trim();
    // `NAME=` is how compose files and shells say "not set".
    if (text === undefined || text === '') return fallback;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    if ('problem' in parsed) problems.push(`${variable}: ${parsed.problem}`);
    else problems.push(`${variable} is ${parsed.secret ? 'set to something else' : `\`${text}\``}; ${parsed.allowed}`);
    return fallback;
  };
}

/** The test suites' own: they reach a service that a test starts, and are none of its business. */
const testPrefix = 'STEPWELL_TEST_';
/** Named by policies, for the headers of their sources; read where a policy is put in force. */
const sourcePrefix = 'STEPWELL_SOURCE_';

function unknownVariables(env: Environment): string[] {
  const known = Object.keys(variables);
  return Object.keys(env)
    .filter(
      (name) => name.startsWith('STEPWELL_') && !name.startsWith(testPrefix) && !name.startsWith(sourcePrefix) && !known.includes(name),
    )
    .map((name) => {
      const nearest = nearestName(name, known);
      return `${name} is not a variable of this service; ${nearest === null ? `it knows ${known.join(', ')}` : `did you mean ${nearest}?`}`;
    });
}

function tlsPathsOf(read: ReturnType<typeof createReader>, problems: string[]): TlsPaths | null {
  const certificate = read('STEPWELL_TLS_CERT', null, filePath);
  const key = read('STEPWELL_TLS_KEY', null, filePath);
  const clientAuthority = read('STEPWELL_TLS_CLIENT_CA', null, filePath);
  if (certificate !== null && key !== null) return { certificate, key, clientAuthority };
  for (const [variable, value] of [
    ['STEPWELL_TLS_CERT', certificate],
    ['STEPWELL_TLS_KEY', key],
  ] as const) {
    if (value !== null || (certificate ?? key ?? clientAuthority) === null) continue;
    problems.push(
      `${variable} is not set; TLS needs both STEPWELL_TLS_CERT and STEPWELL_TLS_KEY: set it, or leave all STEPWELL_TLS_ variables unset`,
    );
  }
  return null;
}

/** What is wrong only together. */
function contradictions(config: Config): string[] {
  const problems: string[] = [];
  for (const [variable, host] of [
    ['STEPWELL_HOST', config.host],
    ['STEPWELL_MANAGEMENT_HOST', config.managementHost],
  ] as const) {
    if (isLoopback(host) || config.apiKeysPath !== null) continue;
    problems.push(
      `${variable} is \`${host}\` and STEPWELL_API_KEYS is not set; without keys every caller may read and write profiles, ` +
        `so the service listens on loopback only: set STEPWELL_API_KEYS, or leave ${variable} at 127.0.0.1`,
    );
  }
  if (config.port !== 0 && config.port === config.managementPort) {
    problems.push(`STEPWELL_MANAGEMENT_PORT is \`${config.port}\`, the port of the service; write another, management is never public`);
  }
  if (config.jwksPath !== null || config.jwksUrl !== null) {
    for (const [variable, value] of [
      ['STEPWELL_TOKEN_ISSUER', config.tokenIssuer],
      ['STEPWELL_TOKEN_AUDIENCE', config.tokenAudience],
    ] as const) {
      if (value === null) problems.push(`${variable} is not set; with STEPWELL_JWKS it must say what a token's claim has to be`);
    }
  }
  return problems;
}

function secret<T>(parse: Parser<T>): Parser<T> {
  return (text) => {
    const parsed = parse(text);
    return 'allowed' in parsed ? { allowed: parsed.allowed, secret: true } : parsed;
  };
}

const anyText: Parser<string> = (text) => ({ value: text });

function hostName(text: string): Parsed<string> {
  const plain = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  return /^[\w.:%-]+$/.test(plain) ? { value: plain } : { allowed: 'write an address or a host name, without a scheme or a port' };
}

function portNumber(text: string): Parsed<number> {
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port <= 65_535
    ? { value: port }
    : { allowed: 'write a whole number from 0 to 65535 (0 takes any free port)' };
}

/** Its sentences name the part that is wrong and never a user or a password. */
function redisUrl(text: string): Parsed<string> {
  try {
    parseRedisUrl(text);
    return { value: text };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : 'it cannot be used' };
  }
}

function policyPath(text: string): Parsed<string> {
  return /\.(ya?ml|json)$/i.test(text) ? { value: text } : { allowed: 'write the path of a .yaml, .yml or .json file' };
}

function filePath(text: string): Parsed<string> {
  return /^[a-z][a-z+]+:\/\//i.test(text) ? { allowed: 'write the path of a file; addresses are not read' } : { value: text };
}

type KeySetPlace = Pick<Config, 'jwksPath' | 'jwksUrl'>;
const noKeySet: KeySetPlace = { jwksPath: null, jwksUrl: null };

/** Of an address nothing is repeated: it may hold a user. */
function keySetPlace(text: string): Parsed<KeySetPlace> {
  if (!/^[a-z][a-z+]+:\/\//i.test(text)) return { value: { jwksPath: text, jwksUrl: null } };
  const url = URL.parse(text);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname.replace(/^\[|\]$/g, '')));
  if (url === null || !isSafe || url.username !== '' || url.password !== '' || url.hash !== '') {
    return { allowed: 'write the path of a file, or an https:// address without a user (http:// only on this machine)', secret: true };
  }
  return { value: { jwksPath: null, jwksUrl: url.href } };
}

function listed(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** Of an address with a user in it nothing is repeated. */
function originList(text: string): Parsed<string[]> {
  const origins = listed(text).map(originOf);
  return origins.every((origin) => origin !== null)
    ? { value: [...new Set(origins)] }
    : { allowed: 'write origins, comma-separated, without path or user: `https://cdp.example, http://aud.internal:8080`', secret: true };
}

/** `none` alone is none of them. */
function headerList<T extends string>(allowed: readonly T[]): Parser<T[]> {
  return (text) => {
    const names = listed(text).map((name) => name.toLowerCase());
    if (names.join() === 'none') return { value: [] };
    const known = allowed.filter((name) => names.includes(name));
    return names.every((name) => allowed.some((one) => one === name))
      ? { value: known }
      : { allowed: `write some of ${allowed.join(', ')}, comma-separated, or none` };
  };
}

/** A page's origin is what a browser says of it, to the letter; so it is kept as browsers write it. */
function pageOriginList(text: string): Parsed<string[]> {
  const origins = listed(text).map(originOf);
  return origins.every((origin) => origin !== null) && !text.includes('*')
    ? { value: [...new Set(origins)] }
    : { allowed: 'write origins, comma-separated, without path or user: `https://www.shop.example`; there is no `*`', secret: true };
}

function networkList(text: string): Parsed<string[]> {
  const networks = listed(text);
  const wrong = networks.find((network) => !isNetwork(network));
  return wrong === undefined
    ? { value: networks }
    : { allowed: `write networks as CIDR, comma-separated, such as 10.0.0.0/8; \`${wrong}\` is not one` };
}

function proofTargetList(text: string): Parsed<string[]> {
  const given = listed(text);
  const targets = given.map(proofTargetOf);
  const wrong = targets.indexOf(null);
  if (wrong === -1) return { value: [...new Set(targets.filter((target) => target !== null))] };
  const sentence = 'write http:// or https:// addresses, comma-separated, without query or user';
  // Of an address with a user in it nothing is repeated.
  return given[wrong]?.includes('@') ? { allowed: sentence, secret: true } : { allowed: `${sentence}; \`${given[wrong]}\` is not one` };
}

function longSecret(text: string): Parsed<string> {
  return text.length >= secretLengthMin ? { value: text } : { allowed: `write at least ${secretLengthMin} characters` };
}

function yesOrNo(text: string): Parsed<boolean> {
  if (text === '1' || text.toLowerCase() === 'true') return { value: true };
  if (text === '0' || text.toLowerCase() === 'false') return { value: false };
  return { allowed: 'write 1 or 0' };
}

function byteCount(text: string): Parsed<number> {
  const bytes = Number(text);
  return /^\d{1,10}$/.test(text) && bytes <= nearCacheBytesMax
    ? { value: bytes }
    : { allowed: `write a whole number of bytes, from 0 (off) to ${nearCacheBytesMax}, without a unit` };
}

function workerCount(text: string): Parsed<number> {
  const count = Number(text);
  return /^\d{1,2}$/.test(text) && count >= 1 && count <= workersMax
    ? { value: count }
    : { allowed: `write a whole number from 1 to ${workersMax}` };
}

function logLevel(text: string): Parsed<LogLevel> {
  const level = logLevels.find((known) => known === text.toLowerCase());
  return level === undefined ? { allowed: `write one of ${logLevels.join(', ')}` } : { value: level };
}
