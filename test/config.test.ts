import { describe, expect, test } from 'vitest';
import { type Config, ConfigError, type Environment, isLoopback, readConfig, variables } from '../src/config.ts';

const tokens = { STEPWELL_TOKEN_ISSUER: 'https://id.example', STEPWELL_TOKEN_AUDIENCE: 'shop' };

function problemsOf(env: Environment): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('an empty environment is the quick start', () => {
  expect(readConfig({})).toEqual({
    host: '127.0.0.1',
    port: 8080,
    managementHost: '127.0.0.1',
    managementPort: 9090,
    redisUrl: null,
    nearCacheBytes: 67_108_864,
    dataDir: '.stepwell',
    policyPath: null,
    httpOrigins: [],
    httpNetworks: [],
    jwksPath: null,
    jwksUrl: null,
    tokenIssuer: null,
    tokenAudience: null,
    proofTargets: [],
    artefactKeyPath: null,
    sessionSecret: null,
    keySecret: null,
    apiKeysPath: null,
    publicGet: false,
    cacheTags: ['surrogate-key', 'cache-tag'],
    cdnHeaders: [],
    corsOrigins: [],
    tls: null,
    auditLog: null,
    workers: 1,
    logLevel: 'info',
  });
});

const understood: readonly (readonly [Environment, Partial<Config>])[] = [
  [{ STEPWELL_PORT: '0' }, { port: 0 }],
  [{ STEPWELL_PORT: ' 8081 ' }, { port: 8081 }],
  [{ STEPWELL_PORT: '' }, { port: 8080 }],
  [{ STEPWELL_HOST: '[::1]' }, { host: '::1' }],
  [{ STEPWELL_HOST: 'localhost' }, { host: 'localhost' }],
  [
    { STEPWELL_HOST: '0.0.0.0', STEPWELL_API_KEYS: 'keys.json' },
    { host: '0.0.0.0', apiKeysPath: 'keys.json' },
  ],
  [{ STEPWELL_REDIS_URL: 'rediss://h1:6379' }, { redisUrl: 'rediss://h1:6379' }],
  [{ STEPWELL_REDIS_URL: 'unix:///run/redis.sock' }, { redisUrl: 'unix:///run/redis.sock' }],
  [{ STEPWELL_REDIS_URL: 'redis+sentinel://u:p@h1,h2/main/1' }, { redisUrl: 'redis+sentinel://u:p@h1,h2/main/1' }],
  [{ STEPWELL_REDIS_URL: 'redis+cluster://h1:6379,h2' }, { redisUrl: 'redis+cluster://h1:6379,h2' }],
  [{ STEPWELL_POLICY: 'shop.YML' }, { policyPath: 'shop.YML' }],
  [
    { STEPWELL_JWKS: 'jwks.json', ...tokens },
    { jwksPath: 'jwks.json', tokenIssuer: 'https://id.example', tokenAudience: 'shop' },
  ],
  [
    { STEPWELL_JWKS: 'https://id.example/jwks', ...tokens },
    { jwksPath: null, jwksUrl: 'https://id.example/jwks' },
  ],
  [
    { STEPWELL_JWKS: 'http://[::1]:81/jwks', ...tokens },
    { jwksPath: null, jwksUrl: 'http://[::1]:81/jwks' },
  ],
  [{ STEPWELL_PROOF_TARGETS: 'https://A.example:443/x, http://b.example' }, { proofTargets: ['https://a.example/x', 'http://b.example/'] }],
  [
    { STEPWELL_HTTP_ORIGINS: 'https://cdp.example/, http://AUD.internal:8080,https://cdp.example:443' },
    { httpOrigins: ['https://cdp.example', 'http://aud.internal:8080'] },
  ],
  [{ STEPWELL_HTTP_NETWORKS: '10.0.0.0/8, ::1/128,192.168.1.1' }, { httpNetworks: ['10.0.0.0/8', '::1/128', '192.168.1.1'] }],
  [{ STEPWELL_SOURCE_CDP: 'Bearer x' }, {}],
  [{ STEPWELL_PUBLIC_GET: '1' }, { publicGet: true }],
  [{ STEPWELL_PUBLIC_GET: 'false' }, { publicGet: false }],
  [{ STEPWELL_CACHE_TAGS: 'xkey, Edge-Cache-Tag' }, { cacheTags: ['edge-cache-tag', 'xkey'] }],
  [{ STEPWELL_CACHE_TAGS: 'none' }, { cacheTags: [] }],
  [{ STEPWELL_CDN_HEADERS: 'cdn-cache-control' }, { cdnHeaders: ['cdn-cache-control'] }],
  [
    { STEPWELL_CORS_ORIGINS: 'https://www.shop.example/, http://localhost:3000,https://WWW.shop.example:443' },
    { corsOrigins: ['https://www.shop.example', 'http://localhost:3000'] },
  ],
  [
    { STEPWELL_TLS_CERT: 'cert.pem', STEPWELL_TLS_KEY: 'key.pem' },
    { tls: { certificate: 'cert.pem', key: 'key.pem', clientAuthority: null } },
  ],
  [
    { STEPWELL_TLS_CERT: 'cert.pem', STEPWELL_TLS_KEY: 'key.pem', STEPWELL_TLS_CLIENT_CA: 'ca.pem' },
    { tls: { certificate: 'cert.pem', key: 'key.pem', clientAuthority: 'ca.pem' } },
  ],
  [{ STEPWELL_AUDIT_LOG: '-' }, { auditLog: '-' }],
  [{ STEPWELL_AUDIT_LOG: '/var/log/stepwell/audit.ndjson' }, { auditLog: '/var/log/stepwell/audit.ndjson' }],
  [{ STEPWELL_LOG_LEVEL: 'WARN' }, { logLevel: 'warn' }],
  [{ STEPWELL_WORKERS: '1' }, { workers: 1 }],
  [{ STEPWELL_WORKERS: '64' }, { workers: 64 }],
  [{ STEPWELL_NEAR_CACHE_BYTES: '' }, { nearCacheBytes: 67_108_864 }],
  [{ STEPWELL_NEAR_CACHE_BYTES: '0' }, { nearCacheBytes: 0 }],
  [{ STEPWELL_NEAR_CACHE_BYTES: '4294967296' }, { nearCacheBytes: 2 ** 32 }],
  [{ OTEL_TRACES_EXPORTER: 'console', HOME: '/root' }, {}],
  [{ STEPWELL_TEST_RUNS: '5', STEPWELL_TEST_LONG: '1' }, {}],
];

test.each(understood)('%j is understood', (env, expected) => {
  expect(readConfig(env)).toMatchObject(expected);
});

/** What the one problem says, at least. */
const refused: readonly (readonly [Environment, readonly string[]])[] = [
  [{ STEPWELL_PORT: 'abc' }, ['STEPWELL_PORT', '`abc`', '0 to 65535']],
  [{ STEPWELL_PORT: '65536' }, ['STEPWELL_PORT', '`65536`', '0 to 65535']],
  [{ STEPWELL_PORT: '-1' }, ['STEPWELL_PORT', '`-1`']],
  [{ STEPWELL_PORT: '80.5' }, ['STEPWELL_PORT', '`80.5`']],
  [{ STEPWELL_MANAGEMENT_PORT: '8080' }, ['STEPWELL_MANAGEMENT_PORT', '`8080`', 'never public']],
  [{ STEPWELL_HOST: 'http://x' }, ['STEPWELL_HOST', '`http://x`', 'without a scheme']],
  [{ STEPWELL_HOST: '0.0.0.0' }, ['STEPWELL_HOST', '`0.0.0.0`', 'STEPWELL_API_KEYS', 'loopback']],
  [{ STEPWELL_HOST: '::' }, ['STEPWELL_HOST', '`::`', 'STEPWELL_API_KEYS']],
  [{ STEPWELL_MANAGEMENT_HOST: '0.0.0.0' }, ['STEPWELL_MANAGEMENT_HOST', '`0.0.0.0`', 'STEPWELL_API_KEYS']],
  [{ STEPWELL_REDIS_URL: 'http://h' }, ['STEPWELL_REDIS_URL', '`http://`', 'unix:///path']],
  [{ STEPWELL_REDIS_URL: 'redis+sentinel://h1,h2' }, ['STEPWELL_REDIS_URL', 'name its master', '/master-name[/db]']],
  [{ STEPWELL_REDIS_URL: 'redis+cluster://h1/2' }, ['STEPWELL_REDIS_URL', 'one database only']],
  [{ STEPWELL_POLICY: 'policy.txt' }, ['STEPWELL_POLICY', '`policy.txt`', '.yaml']],
  [{ STEPWELL_JWKS: 'http://id.example/jwks', ...tokens }, ['STEPWELL_JWKS', 'path of a file', 'https://']],
  [{ STEPWELL_JWKS: 'https://user@id.example/jwks', ...tokens }, ['STEPWELL_JWKS', 'without a user']],
  [{ STEPWELL_JWKS: 'file:///etc/jwks', ...tokens }, ['STEPWELL_JWKS', 'path of a file']],
  [{ STEPWELL_JWKS: 'https://id.example/jwks', STEPWELL_TOKEN_AUDIENCE: 'shop' }, ['STEPWELL_TOKEN_ISSUER', 'STEPWELL_JWKS']],
  [{ STEPWELL_JWKS: 'jwks.json', STEPWELL_TOKEN_AUDIENCE: 'shop' }, ['STEPWELL_TOKEN_ISSUER', 'STEPWELL_JWKS']],
  [{ STEPWELL_PROOF_TARGETS: 'https://a.example,nowhere' }, ['STEPWELL_PROOF_TARGETS', '`nowhere`']],
  [{ STEPWELL_PROOF_TARGETS: 'https://a.example/?b=c' }, ['STEPWELL_PROOF_TARGETS', 'without query']],
  [{ STEPWELL_SESSION_SECRET: 'short' }, ['STEPWELL_SESSION_SECRET', '16 characters']],
  [{ STEPWELL_KEY_SECRET: 'short' }, ['STEPWELL_KEY_SECRET', '16 characters']],
  [{ STEPWELL_CACHE_TAGS: 'etag' }, ['STEPWELL_CACHE_TAGS', '`etag`', 'surrogate-key, cache-tag, edge-cache-tag, xkey']],
  [{ STEPWELL_CDN_HEADERS: 'x-accel-expires' }, ['STEPWELL_CDN_HEADERS', 'cdn-cache-control, surrogate-control']],
  [{ STEPWELL_PUBLIC_GET: 'maybe' }, ['STEPWELL_PUBLIC_GET', '`maybe`', '1 or 0']],
  [{ STEPWELL_WORKERS: '0' }, ['STEPWELL_WORKERS', '`0`', 'from 1 to 64']],
  [{ STEPWELL_WORKERS: '65' }, ['STEPWELL_WORKERS', '`65`', 'from 1 to 64']],
  [{ STEPWELL_WORKERS: '2.5' }, ['STEPWELL_WORKERS', '`2.5`', 'from 1 to 64']],
  [{ STEPWELL_NEAR_CACHE_BYTES: '64MB' }, ['STEPWELL_NEAR_CACHE_BYTES', '`64MB`', 'without a unit']],
  [{ STEPWELL_NEAR_CACHE_BYTES: '4294967297' }, ['STEPWELL_NEAR_CACHE_BYTES', '0 (off)']],
  [{ STEPWELL_LOG_LEVEL: 'loud' }, ['STEPWELL_LOG_LEVEL', '`loud`', 'silent']],
  [{ STEPWELL_HTTP_ORIGINS: 'https://a.example, ftp://b.example' }, ['STEPWELL_HTTP_ORIGINS', 'write origins']],
  [{ STEPWELL_HTTP_ORIGINS: 'https://a.example/path' }, ['STEPWELL_HTTP_ORIGINS', 'without path']],
  [{ STEPWELL_HTTP_NETWORKS: '10.0.0.0/8,10.0.0/33' }, ['STEPWELL_HTTP_NETWORKS', '`10.0.0/33`', 'CIDR']],
  [{ STEPWELL_CORS_ORIGINS: '*' }, ['STEPWELL_CORS_ORIGINS', 'there is no `*`']],
  [{ STEPWELL_CORS_ORIGINS: 'https://*.shop.example' }, ['STEPWELL_CORS_ORIGINS', 'write origins']],
  [{ STEPWELL_CORS_ORIGINS: 'null' }, ['STEPWELL_CORS_ORIGINS', 'write origins']],
  [{ STEPWELL_TLS_CERT: 'cert.pem' }, ['STEPWELL_TLS_KEY', 'not set', 'STEPWELL_TLS_CERT']],
  [{ STEPWELL_TLS_KEY: 'key.pem' }, ['STEPWELL_TLS_CERT', 'not set', 'STEPWELL_TLS_KEY']],
  [{ STEPWELL_AUDIT_LOG: 'https://log.example/' }, ['STEPWELL_AUDIT_LOG', 'path of a file']],
  [{ STEPWELL_PROT: '8080' }, ['STEPWELL_PROT', 'did you mean STEPWELL_PORT?']],
  [{ STEPWELL_TESTING: '1' }, ['STEPWELL_TESTING', 'not a variable']],
  [{ STEPWELL_COLOUR_OF_THE_SKY: 'blue' }, ['STEPWELL_COLOUR_OF_THE_SKY', 'STEPWELL_REDIS_URL']],
];

test.each(refused)('%j is refused with one sentence that says what to write', (env, says) => {
  const problems = problemsOf(env);
  expect(problems).toHaveLength(1);
  for (const part of says) expect(problems[0]).toContain(part);
});

test('every mistake is reported at once', () => {
  const problems = problemsOf({ STEPWELL_PORT: 'x', STEPWELL_LOG_LEVEL: 'y', STEPWELL_HOST: '10.0.0.1', STEPWELL_NOPE: '1' });
  expect(problems).toHaveLength(4);
});

describe('a secret is never repeated', () => {
  test.each([
    ['STEPWELL_SESSION_SECRET', 'hunter2'],
    ['STEPWELL_KEY_SECRET', 'hunter2'],
    ['STEPWELL_REDIS_URL', 'http://user:hunter2@host'],
    ['STEPWELL_REDIS_URL', 'redis+sentinel://user:hunter2@host'],
    ['STEPWELL_REDIS_URL', 'redis://user:hunter2@host:port'],
    ['STEPWELL_REDIS_URL', 'redis://user:hun/ter2:hunter2@host'],
  ])('%s', (variable, value) => {
    const [problem] = problemsOf({ [variable]: value });
    expect(problem).toContain(variable);
    expect(problem).not.toContain('hunter2');
  });

  test('where a plain value would be', () => {
    expect(problemsOf({ STEPWELL_LOG_LEVEL: 'hunter2' })[0]).toContain('hunter2');
  });
});

test('the config cannot be changed afterwards', () => {
  const config = readConfig({}) as unknown as { port: number; proofTargets: string[] };
  expect(() => {
    config.port = 1;
  }).toThrow();
  expect(() => config.proofTargets.push('x')).toThrow();
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['128.0.0.1', false],
  ['localhost.example', false],
])('%s is loopback: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

test('every variable has a line of help', () => {
  for (const help of Object.values(variables)) expect(help.length).toBeGreaterThan(10);
});
