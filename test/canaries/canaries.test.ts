/**
 * One person, of whom everything is a word that occurs nowhere else, goes through every path of a real service: answers, mistakes,
 * a store that stands still, a store that is gone, erasure. Then all that the service said to anybody else is searched for these words.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startStepwell, temporaryDirectory } from '../cli/run-stepwell.ts';
import { startService } from '../http/service.ts';
import { audience, headerOf, issuer, newKey, signed } from '../identity/issuer.ts';
import { until } from '../support/redis-deployments.ts';
import { startRedis } from '../support/redis-server.ts';
import { type Canaries, hitsIn, type Output, personalPatterns } from './canary.ts';
import { startCollector } from './collector.ts';

const word = (what: string): string => `canary-${what}-${randomBytes(6).toString('hex')}`;

/** The address that the person calls from: all of 127/8 is this machine. */
const personsAddress = '127.98.76.54';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Where the caller is. */
  readonly from?: string;
}

function call(url: string, { method, path, headers = {}, body, from = personsAddress }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    const json = text === '' ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
    const sent = request(url + path, { method, headers: { ...json, ...headers }, localAddress: from, agent: false }, (response) => {
      let received = '';
      response.setEncoding('latin1').on('data', (chunk) => {
        received += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: received }));
    });
    sent.once('error', reject);
    sent.end(text);
  });
}

/** Below HTTP: what cannot be parsed is answered too. */
function callRaw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', localAddress: personsAddress }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(text));
  });
}

const agreed = {
  content_personalization: 'granted',
  profile_activation_content: 'granted',
  offers: 'granted',
  profile_activation_offer: 'granted',
};
const key = newKey('k1');

describe('what is one person’s, and every secret,', () => {
  it('is found nowhere that somebody else may look', async () => {
    await using directory = await temporaryDirectory();
    const redis = await startRedis();
    const observer = new Redis(redis.url);
    onTestFinished(async () => {
      observer.disconnect();
      await redis.stop();
    });
    await observer.config('SET', 'slowlog-log-slower-than', '0');
    await observer.config('SET', 'slowlog-max-len', '100000');
    const collector = await startCollector();

    const apiKey = word('api-key');
    const secrets = { sessionSecret: word('session-secret'), keySecret: word('key-secret') };
    const at = (name: string): string => join(directory.path, name);
    const sha256 = createHash('sha256').update(apiKey).digest('hex');
    await writeFile(at('keys.json'), JSON.stringify([{ id: 'tester', sha256, scopes: ['admin'] }]));
    await writeFile(at('jwks.json'), JSON.stringify({ keys: [key.publicJwk] }));
    const policy = await readFile('test/http/policy.yaml', 'utf8');
    const withNickname = policy.replace('  profile:\n', '  profile:\n    nickname: { type: string, class: S1 }\n');
    await writeFile(
      at('policy.yaml'),
      withNickname.replace('profile.loyalty == "gold"', 'profile.loyalty == "gold" && profile.nickname != ""'),
    );
    const child = startStepwell(['serve'], {
      env: {
        STEPWELL_PORT: '0',
        STEPWELL_MANAGEMENT_PORT: '0',
        STEPWELL_DATA_DIR: at('data'),
        STEPWELL_REDIS_URL: redis.url,
        STEPWELL_POLICY: at('policy.yaml'),
        STEPWELL_API_KEYS: at('keys.json'),
        STEPWELL_JWKS: at('jwks.json'),
        STEPWELL_TOKEN_ISSUER: issuer,
        STEPWELL_TOKEN_AUDIENCE: audience,
        STEPWELL_SESSION_SECRET: secrets.sessionSecret,
        STEPWELL_KEY_SECRET: secrets.keySecret,
        STEPWELL_LOG_LEVEL: 'trace',
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_TRACES_SAMPLER: 'always_on',
        OTEL_BSP_SCHEDULE_DELAY: '200',
        OTEL_METRIC_EXPORT_INTERVAL: '500',
        OTEL_METRIC_EXPORT_TIMEOUT: '400',
      },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        log += text;
      });
    }
    await until('it serves', async () => log.includes('"msg":"serving"'));
    const { serviceUrl, managementUrl } = JSON.parse(/^\{.*"msg":"serving"\}$/m.exec(log)?.[0] ?? '{}');

    // The person.
    const nowSeconds = Math.floor(Date.now() / 1000);
    const person: Record<string, string> = {
      subject: word('subject'),
      email: `${word('mail')}@shop.example`,
      attribute: word('attribute'),
      category: word('category'),
      device: word('device'),
      jti: word('jti'),
      tcf: `C${randomBytes(30).toString('base64url')}.${randomBytes(6).toString('base64url')}`,
      gpp: `DBABMA~${randomBytes(20).toString('base64url')}`,
      usPrivacy: word('usp'),
      proof: word('proof'),
      cookie: word('cookie'),
      agent: word('agent'),
      baggage: word('baggage'),
      country: word('country'),
      nobodysKey: word('wrong-key'),
      idempotency: word('idempotency').slice(0, 60),
      address: personsAddress,
      forwarded: '203.0.113.77',
    };
    const authorization = `Bearer ${apiKey}`;
    const claims = { iss: issuer, aud: audience, sub: person.subject, iat: nowSeconds, exp: nowSeconds + 600, jti: person.jti };
    const token = signed(key, headerOf(key), claims);
    person.token = token;
    person.tokenClaims = token.split('.')[1] ?? '';
    const traits = {
      authorization,
      cookie: `sid=${person.cookie}`,
      'user-agent': person.agent ?? '',
      baggage: `user.id=${person.baggage}`,
      tracestate: `v=${person.baggage}`,
      'x-forwarded-for': person.forwarded ?? '',
      forwarded: `for=${person.forwarded}`,
      dpop: person.proof ?? '',
      'sec-gpc': '1',
      referer: `https://shop.example/?mail=${person.email}`,
    };
    const answers: (Answer & { readonly what: string })[] = [];
    const does = async (method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = traits) => {
      const answer = await call(serviceUrl, { method, path, headers, ...(body === undefined ? {} : { body }) });
      answers.push({ ...answer, what: `${method} ${path.slice(0, 16)}` });
      return answer;
    };
    const inPath = encodeURIComponent;
    const now = new Date().toISOString();
    const identityOf = (sessionId: string) => ({ token, sessionId, deviceId: person.device, proof: person.proof });
    const wholeConsent = { useCases: agreed, tcf: person.tcf, gpp: person.gpp, usPrivacy: person.usPrivacy };
    const decide = (sessionId: string, consent: object = { useCases: agreed }) => ({
      zones: ['hero', 'offer_rail'],
      identity: identityOf(sessionId),
      consent,
      context: { country: person.country },
      deadlineMs: 300,
    });

    // All goes well.
    const statuses = [
      (await does('PUT', `/v1/profiles/${person.subject}`, { attributes: { nickname: person.attribute, loyalty: 'gold' } })).status,
      (await does('PUT', `/v1/identities/device/${person.device}`, { subject: person.subject, method: 'deterministic' })).status,
      (await does('PUT', `/v1/consents/${person.subject}`, { useCases: agreed, recordedAt: now })).status,
      (await does('GET', `/v1/profiles/${person.subject}`)).status,
    ];
    expect(statuses).toEqual([201, 201, 201, 200]);
    const made = await does('POST', '/v1/sessions', { attributes: { last_category: person.category } });
    const sessionId = String(JSON.parse(made.body).sessionId);
    person.session = sessionId;
    await does('PATCH', `/v1/sessions/${sessionId}`, { attributes: { last_category: `${person.category}2` } });
    const { 'sec-gpc': _, ...willing } = traits;
    // On a busy machine the first may be late.
    await until('the person is served as who they are', async () => {
      const { body } = await does('POST', '/v1/decide', decide(sessionId), willing);
      const { identity, zones } = JSON.parse(body);
      return identity.state === 'high_confidence' && zones[0].variant === 'hero-gold';
    });
    await does('POST', '/v1/decide', decide(sessionId, wholeConsent));
    await does('POST', '/v1/decide', { ...decide(sessionId), explain: true }, willing);
    await does('POST', '/v1/decide', decide(sessionId), { ...willing, accept: 'application/x-ndjson' });
    await does('GET', `/v1/decide?page=home&country=${person.country}`);

    // An address where an id belongs, refused or not.
    await does('PUT', `/v1/profiles/${inPath(person.email ?? '')}`, { attributes: {} });
    await does('PUT', `/v1/identities/email/${inPath(person.email ?? '')}`, { subject: person.subject, method: 'deterministic' });
    await does('POST', '/v1/decide', { ...decide(sessionId), identity: { deviceId: person.email } });

    // The caller is wrong, in every way.
    for (const [method, path, body] of [
      ['POST', '/v1/decide', { page: person.subject }],
      ['POST', '/v1/decide', { zones: [person.subject] }],
      ['POST', '/v1/decide', { page: 'home', identity: { token: [token] } }],
      ['POST', '/v1/decide', { page: 'home', context: { device: person.attribute, country: [person.country] } }],
      ['POST', '/v1/decide', { page: 'home', consent: { useCases: { offers: person.attribute } } }],
      ['POST', '/v1/decide', `{"page":"${person.subject}","${person.email} ":`],
      ['POST', '/v1/decide', { page: `${person.subject}`.repeat(1500) }],
      ['GET', `/v1/decide?page=home&device=${person.device}`, undefined],
      ['GET', `/v1/${person.subject}/${inPath(person.email ?? '')}?token=${token}`, undefined],
      ['GET', `/v1/profiles/%zz${person.subject}`, undefined],
      ['GET', `/v1/profiles/${person.subject?.repeat(100)}`, undefined],
      ['PUT', `/v1/profiles/${person.subject}`, { attributes: { loyalty: person.attribute } }],
      ['PUT', `/v1/consents/${person.subject}`, { useCases: { offers: person.attribute }, recordedAt: person.attribute }],
      ['PATCH', `/v1/sessions/${sessionId}x`, { attributes: {} }],
      ['POST', '/v1/revocations', { subject: person.subject, jti: person.jti }],
      ['TRACE', `/v1/profiles/${person.subject}`, undefined],
      ['LINK', `/v1/profiles/${person.subject}`, undefined],
    ] as const) {
      expect((await does(method, path, body)).status, `${method} ${path.slice(0, 20)}`).toBeGreaterThanOrEqual(400);
    }
    expect((await does('POST', '/v1/decide', decide(sessionId), { ...traits, authorization: `Bearer ${person.nobodysKey}` })).status).toBe(
      401,
    );
    expect((await does('POST', '/v1/decide', decide(sessionId), { ...traits, 'content-type': `text/${person.agent}` })).status).toBe(415);
    expect((await does('GET', '/v1/decide?page=home', undefined, { ...traits, 'x-long': person.cookie?.repeat(500) ?? '' })).status).toBe(
      431,
    );
    const raw = await callRaw(serviceUrl, `GET /${person.subject} HTTP/1.1\r\nHost: localhost\r\nX ${person.email}: 1\r\n\r\n`);
    const odd = await callRaw(serviceUrl, `BREW /${person.subject} HTTP/1.1\r\nHost: ${person.email}\r\n\r\n`);

    // The store stands still, so that everything is late; and is back.
    process.kill(redis.pid, 'SIGSTOP');
    const late = await does('POST', '/v1/decide', { ...decide(sessionId), deadlineMs: 60 }, willing);
    const stuck = [
      does('PUT', `/v1/profiles/${person.subject}`, { attributes: { nickname: person.attribute } }),
      does('GET', `/v1/profiles/${person.subject}`),
      does('POST', '/v1/revocations', { subject: person.subject }),
    ];
    expect(late.body).toMatch(/_timeout|_failed|circuit_open/);
    await Promise.all(stuck);
    process.kill(redis.pid, 'SIGCONT');
    await until('the store is back', async () => (await does('GET', `/v1/profiles/${person.subject}`)).status < 500);

    // Somebody else looks, before and after the person is gone.
    const others: Output[] = [];
    const ask = async (path: string, body?: unknown): Promise<void> => {
      const headers = { authorization };
      const answer = await call(serviceUrl, {
        method: body === undefined ? 'GET' : 'POST',
        path,
        headers,
        from: '127.0.0.1',
        ...(body === undefined ? {} : { body }),
      });
      others.push({ name: `somebody else’s answer: ${path}`, text: JSON.stringify(answer.headers) + answer.body });
    };
    const askAsOther = async (): Promise<void> => {
      const otherToken = signed(key, headerOf(key), { ...claims, sub: 'somebody-else', jti: 'another' });
      await ask('/v1/decide', { page: 'home', identity: { token: otherToken }, consent: { useCases: agreed } });
      await ask('/v1/decide', { page: 'home' });
      await ask('/v1/decide?page=home');
      await ask('/v1/profiles/somebody-else');
      await ask('/openapi.json');
    };
    await askAsOther();

    // Taken back, revoked, erased.
    await does('GET', `/v1/consents/${person.subject}`);
    await does('POST', `/v1/consents/${person.subject}/withdrawals`, { useCases: ['offers'] });
    await does('POST', `/v1/sessions/${sessionId}/withdrawals`, {});
    await does('GET', `/v1/exports/${person.subject}`);
    await does('POST', '/v1/revocations', { jti: person.jti, until: new Date(Date.now() + 60_000).toISOString() });
    await does('POST', '/v1/revocations', { subject: person.subject });
    const erased = await does(
      'POST',
      '/v1/erasures',
      { subject: person.subject },
      { ...traits, 'idempotency-key': person.idempotency ?? '' },
    );
    expect([202, 404]).toContain(erased.status);
    await does('PUT', `/v1/profiles/${person.subject}`, { attributes: { nickname: person.attribute } });
    await does('POST', '/v1/decide', decide(sessionId), willing);
    await does('DELETE', `/v1/sessions/${sessionId}`);
    await askAsOther();

    // What may be looked at by others.
    const management = (path: string) => call(managementUrl, { method: 'GET', path, from: '127.0.0.1' });
    await until('the last spans and figures are sent', async () => {
      const sent = [collector.text('/v1/traces').length, collector.text('/v1/metrics').length];
      await new Promise((resolve) => setTimeout(resolve, 1000));
      return sent[0] === collector.text('/v1/traces').length && (sent[0] ?? 0) > 0 && (sent[1] ?? 0) > 0;
    });
    const outputs: Output[] = [
      { name: 'traces', text: collector.text('/v1/traces') },
      { name: 'exported metrics', text: collector.text('/v1/metrics') },
      { name: '/metrics', text: (await management('/metrics')).body },
      { name: '/status', text: (await management('/status')).body },
      { name: '/readyz', text: (await management('/readyz')).body },
      { name: `an unknown path of the management port`, text: (await management(`/${person.subject}`)).body },
      { name: 'names of keys', text: (await observer.keys('*')).join('\n') },
      { name: 'an answer below HTTP', text: raw + odd },
      ...others,
      ...answers
        .filter(({ status }) => status >= 400)
        .map(({ what, headers, body }) => ({ name: `problem: ${what}`, text: JSON.stringify(headers) + body })),
    ];
    const slowlog = { name: 'SLOWLOG', text: JSON.stringify(await observer.call('SLOWLOG', 'GET', '100000')) };
    child.kill('SIGTERM');
    await once(child, 'close');
    outputs.push({ name: 'log', text: log });
    for (const name of await readdir(at('data')))
      outputs.push({ name: `file ${name}`, text: await readFile(at(`data/${name}`), 'latin1').catch(() => '') });

    // It was heard: an empty search would find nothing either.
    expect(log.split('\n').length).toBeGreaterThan(30);
    expect(collector.text('/v1/traces')).toContain('stepwell.zone');
    const everything: Canaries = { ...(person as Canaries), apiKey, ...secrets };
    expect(hitsIn(outputs, everything)).toEqual([]);
    for (const [what, pattern] of Object.entries(personalPatterns)) {
      for (const { name, text } of outputs.filter((output) => output.name !== 'somebody else’s answer: /openapi.json')) {
        expect(pattern.exec(text)?.[0] ?? null, `${what} in ${name}`).toBeNull();
      }
    }
    // SLOWLOG shows whoever administers Redis what is written into a record: attributes, and whom a device is linked to. Beyond
    // that, nothing that the person is known by: not in a name, and not in what is asked.
    const { attribute: __, category: ___, ...known } = everything;
    const withoutLinks = { ...slowlog, text: slowlog.text.replace(/\[\\+"[^"]+",\\+"(?:determini|probabili)/g, '') };
    expect(withoutLinks.text.length).toBeGreaterThan(1000);
    expect(hitsIn([withoutLinks], known)).toEqual([]);
  });

  it('would be found: every form of every word, and every pattern', () => {
    const canaries: Canaries = { subject: word('subject'), mail: `${word('mail')}@shop.example` };
    for (const [name, text] of Object.entries(canaries)) {
      const bytes = Buffer.from(`{"sub":"${text}"}`);
      for (const written of [
        text,
        text.toUpperCase(),
        encodeURIComponent(text),
        bytes.toString('hex'),
        bytes.toString('base64'),
        Buffer.from(` ${text}..`).toString('base64url'),
        createHash('sha256').update(text).digest('hex'),
      ]) {
        const found = hitsIn([{ name: 'log', text: `before ${written} after` }], canaries);
        expect(
          found.map(({ canary }) => canary),
          written,
        ).toContain(name);
      }
    }
    const samples = [
      'a.b@shop.example',
      'eyJhbGciOiJFZERTQSJ9.e30.x',
      'CQSbk4AQSbk4ANwAAAENAwCgAAAAAAAAAAYgACPAAAAA.IDKQA4AAg',
      'DBABMA~CQSbk',
      's1.MTIzNDU2Nzg5MDEyMzQ1Njc4.x',
    ];
    for (const [index, pattern] of Object.values(personalPatterns).entries()) expect(samples[index]).toMatch(pattern);
  });

  it('is found in the log as soon as the hook that keeps it out is taken away', async () => {
    const subject = word('subject');
    const leaking = {
      kind: 'embedded',
      read: () => Promise.reject(new Error(`no such key ${subject}`)),
      getProfile: () => Promise.reject(new Error(`no such key ${subject}`)),
    };
    const logOf = async (isHooked: boolean): Promise<Output> => {
      const lines: string[] = [];
      const logger = pino(
        { level: 'trace', serializers: { err: pino.stdSerializers.err } },
        { write: (line: string) => void lines.push(line) },
      );
      // The framework asks for a child with our serializers: without the hook it gets the logger as it is.
      const unhooked = Object.assign(Object.create(logger), { child: () => logger });
      const service = await startService({ logger: isHooked ? logger : unhooked, store: leaking as never });
      const answer = await service.app.inject(`/v1/profiles/${subject}`);
      expect([answer.statusCode, answer.payload.includes(subject)]).toEqual([500, false]);
      return { name: 'log', text: lines.join('') };
    };
    expect(hitsIn([await logOf(true)], { subject })).toEqual([]);
    expect(hitsIn([await logOf(false)], { subject }).length).toBeGreaterThan(0);
  });
});
