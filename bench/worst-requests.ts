/** The dearest requests that the service's limits let through, each made to press on one of them. */

export interface WorstRequest {
  readonly name: string;
  readonly bytes: Buffer;
}

const bodyBytesMax = 32_768;
const headerBytesMax = 8_192;

export function worstRequests(port: number): readonly WorstRequest[] {
  const post = (name: string, body: string, more = '', method = 'POST', path = '/v1/decide'): WorstRequest => ({
    name,
    bytes: requestOf(port, `${method} ${path}`, `content-type: application/json\r\n${more}`, body),
  });
  const get = (name: string, target: string, more = ''): WorstRequest => ({ name, bytes: requestOf(port, `GET ${target}`, more, '') });
  const put = (name: string, body: string): WorstRequest => post(name, body, '', 'PUT', '/v1/profiles/somebody');
  const page = (more: object): string => JSON.stringify({ page: 'home', ...more });
  return [
    post('an ordinary page', page({ context: { country: 'DE', device: 'mobile' } })),
    post('an explained page', page({ explain: true })),
    post('as a stream', page({}), 'accept: application/x-ndjson\r\n'),
    post(
      'unknown members, as many as fit',
      filled('{"page":"home"', (at) => `,"${at.toString(36)}":0`, '}'),
    ),
    post(
      'unknown attributes, as many as fit',
      filled('{"page":"home","context":{"country":"DE"', (at) => `,"${at.toString(36)}":0`, '}}'),
    ),
    post(
      'wrong kinds of values, as many as fit',
      filled('{"page":"home","context":{"country":"DE"', (at) => `,"${at.toString(36)}":{}`, '}}'),
    ),
    post(
      'one key, as often as fits',
      filled('{"page":"home"', () => ',"a":0', '}'),
    ),
    post(
      'escaped keys, as many as fit',
      filled('{"page":"home"', (at) => `,"\\u00${(at % 256).toString(16).padStart(2, '0')}${at.toString(36)}":0`, '}'),
    ),
    post(
      'lists in lists to the depth allowed, as many as fit',
      filled(`{"page":"home","zones":[${'['.repeat(13)}0${']'.repeat(13)}`, () => `,${'['.repeat(13)}0${']'.repeat(13)}`, ']}'),
    ),
    post('brackets that never close', '['.repeat(bodyBytesMax)),
    post('braces that never close', '{"a":'.repeat(6_000)),
    post('a string of backslashes', `{"page":"${'\\\\'.repeat(16_000)}"}`),
    post('a string of quotes', `{"page":"${'\\"'.repeat(16_000)}"}`),
    post('backslashes before quotes', `{"page":"${'\\\\\\"'.repeat(8_000)}"}`),
    post('spaces between tokens', `{"page"${' '.repeat(16_000)}:${' '.repeat(16_000)}"home"}`),
    post(
      'strings, each followed by spaces',
      filled('{"page":"home","context":{"audiences":[""', () => `,""${' '.repeat(60)}`, ']}}'),
    ),
    post(
      'numbers of many digits',
      filled('{"page":"home","context":{"age":1', (at) => `,"${at.toString(36)}":${'9'.repeat(400)}`, '}}'),
    ),
    post('letters of three bytes', page({ context: { country: '€'.repeat(10_000) } })),
    post(
      'audiences, as many as fit',
      filled('{"page":"home","context":{"audiences":["newsletter"', () => ',"a"', ']}}'),
    ),
    post(
      'a list of texts where one is wanted',
      filled('{"page":"home","context":{"country":["a"', () => ',"a"', ']}}'),
    ),
    post('zones of which there are none', page({ zones: Array.from({ length: 32 }, (_, index) => `${'z'.repeat(60)}${index}`) })),
    post(
      'too many zones',
      filled('{"zones":["z"', () => ',"a"', ']}'),
    ),
    post(
      'zones that are wrong objects',
      filled('{"zones":[{}', () => ',{"a":1}', ']}'),
    ),
    post(
      'a token of the greatest length',
      page({ identity: { token: `${'a'.repeat(10_000)}.${'b'.repeat(10_000)}.${'c'.repeat(11_000)}` } }),
    ),
    post('a token of dots', page({ identity: { token: '.'.repeat(32_000) } })),
    post('a session id of the greatest length', page({ identity: { sessionId: `${'a'.repeat(16_000)}.${'b'.repeat(16_000)}` } })),
    post('a device of the greatest length', page({ identity: { deviceId: 'd'.repeat(32_000) } })),
    post(
      'consent strings of the greatest length',
      page({ consent: { tcf: 'C'.repeat(10_000), gpp: 'D~'.repeat(5_000), usPrivacy: '1'.repeat(10_000) } }),
    ),
    post('headers, as many as fit', page({}), manyHeaders()),
    post('one long list of kinds to accept', page({}), `accept: ${'application/x-ndjson;q=0,'.repeat(310)}\r\n`),
    post('kinds to accept, with spaces', page({}), `accept: ${' '.repeat(7_600)}x\r\n`),
    post('a long GPC', page({}), `sec-gpc: ${'0,'.repeat(3_800)}\r\n`),
    post('many lines of GPC', page({}), 'sec-gpc: 0\r\n'.repeat(600)),
    post('a long traceparent', page({}), `traceparent: ${'0'.repeat(7_700)}\r\n`),
    post(
      'a long tracestate',
      page({}),
      `traceparent: 00-${'a'.repeat(32)}-${'b'.repeat(16)}-01\r\ntracestate: ${'a=b,'.repeat(1_800)}\r\n`,
    ),
    post('a long key', page({}), `authorization: Bearer ${'k'.repeat(7_600)}\r\n`),
    post('a long charset', page({}), `content-type: application/json${' '.repeat(7_500)}\r\n`),
    get('a cacheable page', '/v1/decide?page=home&country=DE'),
    get('a query of the greatest length', `/v1/decide?page=home&country=${'a'.repeat(7_900)}`),
    get(
      'parameters, as many as fit',
      `/v1/decide?page=home${Array.from({ length: 1_500 }, (_, index) => `&a${index}=1`).join('')}`.slice(0, 7_900),
    ),
    get('percent signs', `/v1/decide?page=home&country=${'%C3%BC'.repeat(1_300)}`),
    get('ampersands', `/v1/decide?${'&'.repeat(7_900)}`),
    get(
      'zones in a query',
      `/v1/decide?zones=${Array.from({ length: 900 }, (_, index) => `a${String(index).padStart(4, '0')}`).join(',')}`.slice(0, 7_900),
    ),
    get('etags, as many as fit', '/v1/decide?page=home', `if-none-match: ${'"a", '.repeat(1_500)}\r\n`),
    get('a long path', `/${'a/'.repeat(3_900)}`),
    get('a path of percent signs', `/v1/profiles/${'%61'.repeat(700)}`),
    put(
      'a profile: attributes nobody declared',
      filled('{"attributes":{"loyalty":"gold"', (at) => `,"${at.toString(36)}":0`, '}}'),
    ),
    put(
      'a profile: a long list',
      filled('{"attributes":{"favourite_brands":["a"', (at) => `,"${at.toString(36)}"`, ']}}'),
    ),
    put(
      'a profile: audiences nobody declared',
      filled('{"audiences":["lapsed"', (at) => (at < 255 ? `,"${'a'.repeat(50)}${at}"` : ' '), ']}'),
    ),
    post(
      'a consent record of many categories',
      filled(
        '{"recordedAt":"2026-01-01T00:00:00Z","useCases":{"offers":"denied"',
        (at) => `,"category:c${at.toString(36)}":"denied"`,
        '}}',
      ),
      '',
      'PUT',
      '/v1/consents/somebody',
    ),
  ];
}

/** As many parts as a body may hold. */
function filled(start: string, partOf: (at: number) => string, end: string): string {
  const parts = [start];
  let length = start.length + end.length;
  for (let at = 0; ; at += 1) {
    const part = partOf(at);
    length += part.length;
    if (length > bodyBytesMax) return parts.join('') + end;
    parts.push(part);
  }
}

function manyHeaders(): string {
  let headers = '';
  for (let at = 0; headers.length < headerBytesMax - 400; at += 1) headers += `x${at.toString(36)}:1\r\n`;
  return headers;
}

function requestOf(port: number, line: string, headers: string, body: string): Buffer {
  const length = Buffer.byteLength(body);
  const framing = length === 0 ? '' : `content-length: ${length}\r\n`;
  return Buffer.from(`${line} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n${framing}${headers}\r\n${body}`);
}
