/**
 * What `dependencies` says of services that are asked over HTTP: which dependency may have one, where it is, what is sent and how its
 * answer is read. Whether this process may ask it, and whether its variables are set, is found out where the policy is put in force.
 */
import type { HeaderValue, HttpSourceSettings, SourceMapping } from '../decision/artefact.ts';
import type { Declarations } from './condition.ts';
import type { Node } from './document.ts';
import { excerpt } from './excerpt.ts';
import { checkMapping } from './mapping-check.ts';
import { mapById } from './names.ts';
import type { Report } from './problems.ts';
import {
  type Bounds,
  type Fields,
  readFields,
  readInteger,
  readMap,
  readOneOf,
  readText,
  readTextScalar,
  readTexts,
  required,
} from './read.ts';
import { placeInScalar } from './scalar-place.ts';
import { type Sourced, variableOf } from './source-variables.ts';
import { didYouMean } from './suggest.ts';

/** Fields of a dependency that only an HTTP source has. */
export const sourceFields = ['url', 'method', 'headers', 'send', 'map', 'maxBytes', 'connections'] as const;

const maxBytesBounds: Bounds = { min: 1, max: 262_144 };
const maxBytesDefault = 65_536;
const connectionsBounds: Bounds = { min: 1, max: 256 };
const connectionsDefault = 16;
const headersMax = 32;
const sendMax = 64;
const attributesMax = 1_000;
const urlCharactersMax = 2_048;
const headerCharactersMax = 4_096;

export interface SourceSurroundings {
  /** The policy's own text, for places inside of an expression. */
  readonly text: string;
  readonly declarations: Declarations;
}

export function readHttpSource(
  report: Report,
  fields: Fields,
  dependency: Sourced,
  what: string,
  around: SourceSurroundings,
): HttpSourceSettings {
  const methodNode = fields.get('method');
  const method = (methodNode && readOneOf(report, methodNode, `\`method\` of ${what}`, ['GET', 'POST'])) ?? 'GET';
  const urlNode = required(report, fields, 'url', what, `\`url: https://<host>/<path>/{${variableOf[dependency]}}\``);
  const mapNode = required(report, fields, 'map', what, `\`map: { ${exampleOf[dependency]} }\``);
  return {
    url: urlNode === undefined ? '' : readUrl(report, urlNode, what, variableOf[dependency], method),
    method,
    headers: readHeaders(report, fields.get('headers'), what),
    send: readSend(report, fields, what, method, around.declarations),
    map: mapNode === undefined ? noMapping : readMapping(report, mapNode, dependency, what, around),
    maxBytes: readBounded(report, fields.get('maxBytes'), `\`maxBytes\` of ${what}`, maxBytesBounds) ?? maxBytesDefault,
    connections: readBounded(report, fields.get('connections'), `\`connections\` of ${what}`, connectionsBounds) ?? connectionsDefault,
  };
}

function readBounded(report: Report, node: Node | undefined, what: string, bounds: Bounds): number | undefined {
  return node && readInteger(report, node, what, bounds);
}

function readUrl(report: Report, node: Node, what: string, variable: string, method: 'GET' | 'POST'): string {
  const url = readText(report, node, `\`url\` of ${what}`);
  if (url === undefined) return '';
  const wrong = urlMistake(url, variable) ?? (method === 'GET' && !url.includes(`{${variable}}`) ? unasked(variable) : null);
  if (wrong !== null) report.error('url-not-allowed', node.at, `\`url\` of ${what} ${wrong}`);
  return url;
}

function unasked(variable: string): string {
  return `does not say whom it asks about: write \`{${variable}}\` where it belongs, or \`method: POST\`, which sends it in its body`;
}

const shape = /^https?:\/\/([^/?#]+)([^?#]*)(?:\?([^#]*))?$/;

/** What is wrong with a URL; null when it may be asked. */
function urlMistake(url: string, variable: string): string | null {
  if (url.length > urlCharactersMax) return `has ${url.length} characters: ${urlCharactersMax} are allowed`;
  if (!/^[!-~]+$/.test(url) || url.includes('\\')) return 'holds a character that no URL has: write it percent-encoded';
  if (url.includes('#')) return 'has a fragment, which is never sent: leave `#` and what follows out';
  const match = shape.exec(url);
  if (match === null) return 'must be absolute: write `https://<host>/<path>`';
  const [, authority = '', path = '', query = ''] = match;
  if (authority.includes('@')) return 'holds a user or a password: send what proves you in `headers`, from a variable of the environment';
  if (/[{}]/.test(authority)) return 'must name one host: a variable may stand in the path and in values of the query';
  const names = query.split('&').map((pair) => pair.split('=', 1)[0] ?? '');
  if (names.some((name) => /[{}]/.test(name))) return 'has a variable in a name of the query: it may stand in the path and in values';
  for (const [written, name = ''] of `${path}?${query}`.matchAll(/\{([^{}]*)\}/g)) {
    if (name !== variable) return `has a variable \`${excerpt(written)}\`: here there is only \`{${variable}}\``;
  }
  const filled = url.replaceAll(`{${variable}}`, 'x');
  if (/[{}]/.test(filled)) return `has a brace that closes or opens nothing: write \`{${variable}}\`, or \`%7B\` and \`%7D\``;
  return URL.canParse(filled) ? null : 'is no URL: write `https://<host>/<path>`';
}

const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
const ownHeaders = [
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'accept',
  'accept-encoding',
  'expect',
  'stepwell-deadline-ms',
  'traceparent',
  'tracestate',
];
const environmentName = /^STEPWELL_SOURCE_[A-Z0-9_]{1,100}$/;

function readHeaders(report: Report, node: Node | undefined, what: string): Readonly<Record<string, HeaderValue>> {
  const map = node && readMap(report, node, `\`headers\` of ${what}`);
  if (map === undefined) return mapById<HeaderValue>([]);
  if (map.entries.length > headersMax)
    report.error('too-many', map.at, `\`headers\` of ${what} has ${map.entries.length} entries: ${headersMax} are allowed`);
  const headers = new Map<string, HeaderValue>();
  for (const { key, keyAt, value } of map.entries) {
    const name = key.toLowerCase();
    const where = `header \`${excerpt(key)}\` of ${what}`;
    const refusal = headerRefusal(name) ?? (headers.has(name) ? 'is written twice: keep one of them' : null);
    if (refusal !== null) report.error('header-not-allowed', keyAt, `${where} ${refusal}`);
    const read = readHeaderValue(report, value, name, where);
    if (read !== undefined && refusal === null) headers.set(name, read);
  }
  return mapById(headers);
}

function headerRefusal(name: string): string | null {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(name)) return 'is no name of a header: write letters, digits and `-`';
  if (hopByHop.includes(name)) return 'belongs to the connection, not to the request: leave it out';
  if (name === 'cookie') return 'would make one visitor look like another: leave it out';
  return ownHeaders.includes(name) ? 'is written by the service itself: leave it out' : null;
}

function readHeaderValue(report: Report, node: Node, name: string, what: string): HeaderValue | undefined {
  if (node.kind !== 'map') {
    const text = readText(report, node, what);
    if (text === undefined) return undefined;
    if (text.length > headerCharactersMax || !/^[ -~\t]*$/.test(text)) {
      const message = `${what} must be at most ${headerCharactersMax} printable ASCII characters on one line`;
      report.error('header-not-allowed', node.at, message);
      return undefined;
    }
    if (name === 'authorization') {
      const advice = 'write `{ env: STEPWELL_SOURCE_<NAME> }` and set that variable';
      report.warning('secret-in-policy', node.at, `${what} stands in the policy for everybody who reads it: ${advice}`);
    }
    return { text: text.trim() };
  }
  const fields = readFields(report, node, what, ['env']);
  const envNode = fields && required(report, fields, 'env', what, '`{ env: STEPWELL_SOURCE_<NAME> }`');
  const env = envNode && readText(report, envNode, `\`env\` of ${what}`);
  if (env === undefined || envNode === undefined) return undefined;
  if (environmentName.test(env)) return { env };
  const reason = 'so that no policy can send away what the service keeps for itself';
  const message = `\`env\` of ${what} cannot be \`${excerpt(env)}\`: name a variable that begins with \`STEPWELL_SOURCE_\`, ${reason}`;
  report.error('variable-not-allowed', envNode.at, message);
  return undefined;
}

function readSend(report: Report, fields: Fields, what: string, method: 'GET' | 'POST', { attributes }: Declarations): readonly string[] {
  const node = fields.get('send');
  if (node === undefined) return [];
  if (method === 'GET') {
    report.error(
      'unknown-field',
      fields.keyAt('send'),
      `\`send\` of ${what} needs a body: write \`method: POST\` beside it, or leave it out`,
    );
  }
  const names = readTexts(report, node, `\`send\` of ${what}`, sendMax, (item) => {
    const name = readText(report, item, `a request attribute in \`send\` of ${what}`);
    if (name === undefined || attributes.request.has(name)) return name;
    const message = `no attribute \`${excerpt(name)}\` is declared under \`attributes.request\`${didYouMean(name, attributes.request.keys())}`;
    report.error('unknown-attribute', item.at, `in \`send\` of ${what}, ${message}`);
    return undefined;
  });
  return (names ?? []).sort();
}

const noMapping: SourceMapping = {
  attributes: {},
  audiences: null,
  propensityPpm: null,
  subject: null,
  method: null,
  confidencePpm: null,
};

const mappedBy: Readonly<Record<Sourced, readonly (keyof SourceMapping)[]>> = {
  identity: ['subject', 'method', 'confidencePpm'],
  profile: ['attributes', 'audiences'],
  audience: ['audiences'],
  model: ['propensityPpm'],
};

const exampleOf: Readonly<Record<Sourced, string>> = {
  identity: 'subject: response.<member>',
  profile: 'attributes: { <attribute>: response.<member> }',
  audience: 'audiences: response.<member>',
  model: 'propensityPpm: response.<member>',
};

function readMapping(report: Report, node: Node, dependency: Sourced, what: string, around: SourceSurroundings): SourceMapping {
  const fields = readFields(report, node, `\`map\` of ${what}`, mappedBy[dependency]);
  if (fields === undefined) return noMapping;
  const first = mappedBy[dependency][0] as string;
  // A profile may be attributes, audiences or both.
  if (fields.get(first) === undefined && !(dependency === 'profile' && fields.get('audiences') !== undefined))
    required(report, fields, first, `\`map\` of ${what}`, `\`${exampleOf[dependency]}\``);
  const read = (name: keyof SourceMapping): string | null => {
    const expression = name === 'attributes' ? undefined : fields.get(name);
    return expression === undefined ? null : readExpression(report, expression, `\`${name}\` in \`map\` of ${what}`, around);
  };
  return {
    attributes: readAttributeMappings(report, fields.get('attributes'), what, around),
    audiences: read('audiences'),
    propensityPpm: read('propensityPpm'),
    subject: read('subject'),
    method: read('method'),
    confidencePpm: read('confidencePpm'),
  };
}

function readAttributeMappings(
  report: Report,
  node: Node | undefined,
  what: string,
  around: SourceSurroundings,
): Readonly<Record<string, string>> {
  const map = node && readMap(report, node, `\`attributes\` in \`map\` of ${what}`);
  if (map === undefined) return mapById<string>([]);
  if (map.entries.length > attributesMax) {
    const message = `\`attributes\` in \`map\` of ${what} has ${map.entries.length} entries: ${attributesMax} are allowed`;
    report.error('too-many', map.at, message);
    return mapById<string>([]);
  }
  const declared = around.declarations.attributes.profile;
  const mappings = new Map<string, string>();
  for (const { key, keyAt, value } of map.entries) {
    if (!declared.has(key)) {
      const message = `no attribute \`${excerpt(key)}\` is declared under \`attributes.profile\`${didYouMean(key, declared.keys())}`;
      report.error('unknown-attribute', keyAt, `in \`map\` of ${what}, ${message}`);
    }
    mappings.set(key, readExpression(report, value, `attribute \`${excerpt(key)}\` in \`map\` of ${what}`, around) ?? '');
  }
  return mapById(mappings);
}

function readExpression(report: Report, node: Node, what: string, { text }: SourceSurroundings): string | null {
  const scalar = readTextScalar(report, node, what);
  if (scalar === undefined) return null;
  for (const { code, offset, message } of checkMapping(scalar.value))
    report.error(code, placeInScalar(text, scalar, offset), `in ${what}, ${message}`);
  return scalar.value;
}

/** Whether a dependency is written with an HTTP source, before anything of it is read. */
export function hasHttpSource(root: Fields, dependency: Sourced): boolean {
  return scalarOf(memberOf(memberOf(root.get('dependencies'), dependency), 'source')) === 'http';
}

function memberOf(node: Node | undefined, name: string): Node | undefined {
  return node?.kind === 'map' ? node.entries.find(({ key }) => key === name)?.value : undefined;
}

function scalarOf(node: Node | undefined): unknown {
  return node?.kind === 'scalar' ? node.value : undefined;
}
