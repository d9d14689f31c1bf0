/**
 * Requests that are wrong in one to three ways, made from a seed: the request line, the headers, the framing, the body, or the bytes
 * themselves. Each holds a mark of its own that no answer may repeat.
 */
import { type Chance, chanceFrom } from './chance.ts';

export interface Malformed {
  /** Together they make the case again. */
  readonly seed: number;
  readonly ways: readonly string[];
  readonly pieces: readonly Buffer[];
  /** Looked for in whatever comes back. */
  readonly mark: string;
}

interface Draft {
  method: string;
  target: string;
  version: string;
  readonly headers: [name: string, value: string][];
  body: Buffer;
  /** Null: as long as the body is. */
  length: string | null;
  lineEnd: string;
}

export function malformedRequest(seed: number, key: string | null): Malformed {
  const chance = chanceFrom(seed);
  const mark = `zq${chance.below(36 ** 5).toString(36)}${seed.toString(36)}x`;
  const draft = soundRequest(chance, `<${mark}`, key);
  const chosen = Array.from({ length: chance.oneOf([1, 1, 1, 2, 3]) }, () => chance.oneOf(wayNames));
  for (const name of chosen) ways[name]?.(draft, chance, `<${mark}`);
  return { seed, ways: chosen, pieces: cut(bytesOf(draft), chance), mark };
}

/** The marker stands where a value stands: names of unknown fields are told back, for they are a spelling mistake. */
function soundRequest(chance: Chance, marker: string, key: string | null): Draft {
  const [method, target, body] = chance.oneOf(routes)(marker);
  const headers: [string, string][] = [['Host', 'localhost']];
  if (key !== null && !chance.onceIn(3)) headers.push(['Authorization', `Bearer ${key}`]);
  if (body !== null) headers.push(['Content-Type', 'application/json']);
  if (!chance.onceIn(20)) headers.push(['Connection', 'close']);
  const text = body === null ? '' : JSON.stringify(body);
  return { method, target, version: 'HTTP/1.1', headers, body: Buffer.from(text), length: null, lineEnd: '\r\n' };
}

type Route = (marker: string) => readonly [method: string, target: string, body: unknown];

const inPath = encodeURIComponent;
const routes: readonly Route[] = [
  (marker) => ['POST', '/v1/decide', { page: 'home', identity: { token: marker, proof: marker, sessionId: marker, deviceId: marker } }],
  (marker) => ['POST', '/v1/decide', { page: 'home', consent: { tcf: marker, gpp: marker, usPrivacy: marker } }],
  (marker) => ['POST', '/v1/decide', { zones: [marker], context: { country: marker, device: 'mobile', audiences: [marker] } }],
  (marker) => ['POST', '/v1/decide', { page: marker, deadlineMs: 60, explain: true }],
  (marker) => [
    'POST',
    '/v1/decide',
    { page: 'home', consent: { useCases: { offers: marker }, googleConsentMode: { ad_storage: marker } } },
  ],
  (marker) => ['GET', `/v1/decide?page=home&country=${inPath(marker)}`, null],
  (marker) => ['GET', `/v1/decide?page=${inPath(marker)}`, null],
  (marker) => ['PUT', `/v1/profiles/${inPath(marker)}`, { attributes: { loyalty: marker }, audiences: [marker], ttlSeconds: 60 }],
  (marker) => ['GET', `/v1/profiles/${inPath(marker)}`, null],
  (marker) => ['DELETE', `/v1/profiles/${inPath(marker)}`, null],
  (marker) => ['PUT', `/v1/identities/device/${inPath(marker)}`, { subject: marker, method: 'deterministic' }],
  (marker) => ['PUT', `/v1/consents/${inPath(marker)}`, { useCases: { offers: marker }, recordedAt: marker }],
  (marker) => ['GET', `/v1/consents/${inPath(marker)}`, null],
  (marker) => ['POST', `/v1/consents/${inPath(marker)}/withdrawals`, { useCases: [marker] }],
  (marker) => ['PUT', `/v1/profiles/${inPath(marker)}`, { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] }],
  (marker) => ['PUT', `/v1/consents/${inPath(marker)}`, { useCases: { offers: 'denied' }, recordedAt: '2026-11-01T00:00:00Z' }],
  (marker) => ['PUT', `/v1/identities/email/${inPath(marker)}`, { subject: marker, method: 'probabilistic', confidencePpm: 1 }],
  (marker) => ['POST', '/v1/revocations', { jti: marker, until: '2027-01-01T00:00:00Z' }],
  (marker) => ['POST', '/v1/revocations', { subject: marker }],
  (marker) => ['POST', '/v1/erasures', { subject: marker }],
  (marker) => ['POST', '/v1/sessions', { attributes: { last_category: marker } }],
  (marker) => ['PATCH', `/v1/sessions/${inPath(marker)}`, { attributes: { last_category: marker } }],
  (marker) => ['DELETE', `/v1/sessions/${inPath(marker)}`, null],
  (marker) => ['POST', `/v1/sessions/${inPath(marker)}/withdrawals`, {}],
  (marker) => ['POST', '/v1/revocations', { jti: marker, until: marker }],
  (marker) => ['POST', '/v1/erasures', { subject: marker.repeat(300) }],
  (marker) => ['GET', `/v1/erasures/${inPath(marker)}`, null],
  (marker) => ['GET', `/v1/exports/${inPath(marker)}`, null],
  (marker) => ['GET', `/docs/${inPath(marker)}`, null],
  (marker) => ['GET', `/.well-known/${inPath(marker)}`, null],
  (marker) => ['GET', `/${inPath(marker)}`, null],
];

type Way = (draft: Draft, chance: Chance, marker: string) => void;

const ways: Readonly<Record<string, Way>> = {
  'another method': (draft, chance) => {
    draft.method = chance.oneOf([
      'get',
      'BREW',
      'TRACE',
      'CONNECT',
      'OPTIONS',
      'HEAD',
      'PUT',
      '',
      'GET\t',
      'G\x00T',
      'PRI',
      'SEARCH',
      'X'.repeat(200),
    ]);
  },
  'another version': (draft, chance) => {
    draft.version = chance.oneOf([
      'HTTP/1.0',
      'HTTP/0.9',
      'HTTP/2.0',
      'HTTP/1.2',
      'http/1.1',
      'HTTP/1.1 x',
      '',
      'ICY/1.1',
      'HTTP/9999999999.1',
    ]);
  },
  'a bent address': (draft, chance, marker) => {
    draft.target = chance.oneOf<(target: string) => string>([
      (target) => `${target}/${marker}.css`,
      (target) => `${target};${marker}.js`,
      (target) => target.replace('/v1/', '/v1/%2e%2e/v1/'),
      (target) => target.replaceAll('/', '%2f'),
      (target) => `/${target}`,
      (target) => `http://${marker}.example${target}`,
      (target) => `${target}%00${marker}`,
      (target) => `${target}%zz${marker}`,
      (target) => `${target}\\..\\${marker}`,
      (target) => `${target}?${marker}=1&${marker}=2&__proto__=${marker}`,
      (target) => `${target}#${marker}`,
      (target) => `${target}\xff\xfe${marker}`,
      (target) => target + '/x'.repeat(2000),
      (target) => `${target}%ed%a0%80${marker}`,
      () => '*',
      () => '',
      () => marker,
      (target) => target.toUpperCase(),
    ])(draft.target);
  },
  'a bent header': (draft, chance, marker) => {
    draft.headers.push(
      chance.oneOf<[string, string]>([
        ['Host', marker],
        ['Content-Type', `text/html; ${marker}`],
        ['Content-Type', 'application/json; charset=utf-16'],
        ['Content-Encoding', 'gzip'],
        ['Transfer-Encoding', 'chunked'],
        ['Transfer-Encoding', `xchunked, ${marker}`],
        ['Transfer-Encoding', 'identity'],
        ['Content-Length', '-1'],
        ['Content-Length', '99999999999999999999'],
        ['Content-Length', `0x10${marker}`],
        ['Expect', '100-continue'],
        ['Expect', marker],
        ['Upgrade', 'websocket'],
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Connection', marker],
        ['Authorization', `Bearer ${marker}`],
        ['Authorization', `Basic ${Buffer.from(marker).toString('base64')}`],
        ['DPoP', marker],
        ['Sec-GPC', marker],
        ['Stepwell-Deadline-Ms', marker],
        ['Stepwell-Deadline-Ms', '1e309'],
        ['Accept', `application/x-ndjson;${marker}`],
        ['If-None-Match', `W/"${marker}`],
        ['Range', 'bytes=0-0,-1'],
        ['Cookie', `${marker}=1; `.repeat(80)],
        ['traceparent', `00-${marker}`],
        ['baggage', `user=${marker}`],
        ['Origin', `https://${marker}.example`],
        ['Access-Control-Request-Method', marker],
        ['X-Forwarded-Host', marker],
        ['X-HTTP-Method-Override', 'DELETE'],
        ['Idempotency-Key', `${marker}\x7f`],
        ['__proto__', marker],
        ['constructor', marker],
        [`X-${marker}`, 'x'],
        [`X ${marker}`, 'x'],
        ['X-Long', 'x'.repeat(9000)],
        ['X-Zero', `a\x00${marker}`],
        ['X-Split', `a\r\nX-Injected: ${marker}`],
        ['X-Fold', `a\r\n ${marker}`],
        ['', marker],
      ]),
    );
  },
  'headers without number': (draft, chance, marker) => {
    const count = chance.oneOf([30, 300, 3000]);
    for (let index = 0; index < count; index += 1) draft.headers.push([`X${index}`, index === 0 ? marker : '']);
  },
  'no host': (draft) => {
    draft.headers.splice(0, 1);
  },
  'bare line ends': (draft, chance) => {
    draft.lineEnd = chance.oneOf(['\n', '\r', '\r\r\n', '\n\r', ' \r\n']);
  },
  'a length that lies': (draft, chance) => {
    draft.length = chance.oneOf(['0', '1', String(draft.body.length + 1), '32769', '+5', ' 5 ', '5, 5', '', '1e3', '٣']);
  },
  'a bent body': (draft, chance, marker) => {
    draft.body = bentBody(draft.body, chance, marker);
  },
  'a body in odd chunks': (draft, chance, marker) => {
    draft.length = '';
    draft.headers.push(['Transfer-Encoding', 'chunked']);
    const size = chance.oneOf([
      draft.body.length.toString(16),
      `${draft.body.length.toString(16)};${marker}="x"`,
      'ffffffffffffffffff',
      '-1',
      'zz',
      '0',
    ]);
    const end = chance.oneOf([
      '\r\n0\r\n\r\n',
      `\r\n0\r\nX-Trailer: ${marker}\r\n\r\n`,
      '\n0\n\n',
      '',
      '\r\n0\r\nContent-Length: 5\r\n\r\n',
    ]);
    draft.body = Buffer.concat([Buffer.from(`${size}\r\n`), draft.body, Buffer.from(end)]);
  },
  'another member': (draft, chance, marker) => {
    const members = JSON.parse(textOf(draft.body) ?? '{}') as unknown;
    if (typeof members !== 'object' || members === null) return;
    const text = JSON.stringify(members).slice(1, -1);
    const more = chance.oneOf([
      `"__proto__":{"isAdmin":"${marker}"}`,
      `"constructor":{"prototype":{"isAdmin":"${marker}"}}`,
      `"prototype":"${marker}"`,
      `"toString":"${marker}"`,
      `"${marker}":1`,
      `"page":"home","page":"${marker}"`,
      `"page":null`,
      `"zones":${JSON.stringify(Array(33).fill('hero'))}`,
      `"deadlineMs":${chance.oneOf(['1e999', '-0', '9007199254740993', '0.1', '"5"', '1E400', '-1'])}`,
      `"context":{"country":"\\ud800${marker}"}`,
      `"context":{"country":["${marker}"]}`,
      `"identity":[]`,
      `"consent":{"useCases":{"${marker}":"granted"}}`,
      '"explain":"true"',
    ]);
    draft.body = Buffer.from(`{${[text, more].filter((part) => part !== '').join(',')}}`);
  },
  'bytes turned': (draft, chance) => {
    const bytes = Buffer.from(draft.body);
    for (let index = 0; index < 4 && bytes.length > 0; index += 1) bytes[chance.below(bytes.length)] = chance.below(256);
    draft.body = bytes;
    draft.target = [...draft.target].map((unit) => (chance.onceIn(20) ? String.fromCharCode(chance.below(256)) : unit)).join('');
  },
  'something after it': (draft, _chance, marker) => {
    draft.length = String(draft.body.length);
    draft.body = Buffer.concat([draft.body, Buffer.from(`GET /${marker} HTTP/1.1\r\nHost: localhost\r\n\r\n\x16\x03\x01`)]);
  },
};
/** What is sound as HTTP comes further, so it is sent more often. */
const wayNames = [...Object.keys(ways), ...Array(3).fill(['a bent header', 'a bent body', 'another member']).flat()];

function textOf(body: Buffer): string | null {
  try {
    JSON.parse(body.toString());
    return body.toString();
  } catch {
    return null;
  }
}

function bentBody(body: Buffer, chance: Chance, marker: string): Buffer {
  const text = body.toString('latin1');
  return Buffer.from(
    chance.oneOf([
      text.slice(0, chance.below(text.length + 1)),
      `\xef\xbb\xbf${text}`,
      Buffer.from(text, 'utf16le').toString('latin1'),
      '['.repeat(10_000),
      `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
      `{${Array.from({ length: 3000 }, (_, index) => `"k${index}":1`).join(',')}}`,
      JSON.stringify(marker),
      'null',
      '-',
      `{"page":"${'x'.repeat(40_000)}${marker}"}`,
      `{"page":"home",}${marker}`,
      `{'page':'${marker}'}`,
      `{"page":"ho\u0000me${marker}"}`,
      `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>${marker}&y;</x>`,
      `page=home&zones=${marker}`,
      `{"page":"\\ud800\\udc00\\ud800${marker}"}`,
      '\x1f\x8b\x08\x00',
      `{"zones":[${Array(40).fill('{"id":"hero"}').join(',')}]}`,
      ' '.repeat(33_000),
      `{"page":"home"}\r\n\r\nHTTP/1.1 200 OK\r\n\r\n${marker}`,
    ]),
    'latin1',
  );
}

function bytesOf({ method, target, version, headers, body, length, lineEnd }: Draft): Buffer {
  const said = length ?? (body.length > 0 ? String(body.length) : '');
  const lines = [`${method} ${target} ${version}`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  if (said !== '') lines.push(`Content-Length: ${said}`);
  return Buffer.concat([Buffer.from(`${lines.join(lineEnd)}${lineEnd}${lineEnd}`, 'latin1'), body]);
}

/** As one, or broken anywhere: a parser must not care. */
function cut(bytes: Buffer, chance: Chance): readonly Buffer[] {
  if (!chance.onceIn(4)) return [bytes];
  const at = chance.below(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}
