/** Tokens that are none: everything that was ever tried on a verifier, and a few things more. Each is as if it were not there. */
import { createHmac } from 'node:crypto';
import { tokenLengthMax } from '../../src/identity/token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { audience, claimsAt, headerOf, issuer, newKey, signed } from './issuer.ts';

export const nowMs = new VirtualClock().nowMs();
export const nowSeconds = Math.floor(nowMs / 1000);
export const daySeconds = 86_400;
export const key = newKey('key-1');
export const claims = claimsAt(nowMs);
export const header = headerOf(key);
export const good = signed(key, header, claims);

export function withClaims(changes: Record<string, unknown>): string {
  return signed(key, header, { ...claims, ...changes });
}

function without(name: string): string {
  const { [name]: _, ...rest } = claims;
  return signed(key, header, rest);
}

const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');

function hmacWithPublicKey(after = '', before = ''): string {
  const input = `${encoded({ ...header, alg: 'HS256' })}.${goodPayload}`;
  const secret = Buffer.concat([Buffer.from(before), Buffer.from(String(key.publicJwk.x), 'base64url'), Buffer.from(after)]);
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

function otherSpelling(part: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) ?? '') ^ 1];
}

export interface TokenAttack {
  readonly what: string;
  readonly token: string;
  /** The library alone takes its signature, so a check of our own is what refuses it. */
  readonly passesJose?: true;
}

export const attacks: readonly TokenAttack[] = [
  { what: 'is empty', token: '' },
  { what: 'is no token', token: 'hello' },
  { what: 'is long', token: 'a'.repeat(100_000) },
  { what: 'is one character over the limit', token: withClaims({ pad: 'x'.repeat(tokenLengthMax) }), passesJose: true },
  { what: 'has two parts', token: `${goodHeader}.${goodPayload}` },
  { what: 'has four parts', token: `${good}.` },
  { what: 'has an empty signature', token: `${goodHeader}.${goodPayload}.` },
  { what: 'has an empty payload', token: `${goodHeader}..${goodSignature}` },
  { what: 'says alg none', token: `${encoded({ ...header, alg: 'none' })}.${goodPayload}.` },
  { what: 'says alg none and keeps a signature', token: signed(key, { ...header, alg: 'none' }, claims) },
  { what: 'is HS256 keyed with the public key', token: hmacWithPublicKey() },
  { what: 'names another algorithm than its key has', token: signed(key, { ...header, alg: 'ES256' }, claims) },
  { what: 'names an algorithm we do not take', token: signed(key, { ...header, alg: 'RS256' }, claims) },
  { what: 'spells the algorithm otherwise', token: signed(key, { ...header, alg: 'ed25519' }, claims) },
  { what: 'has no alg', token: signed(key, { typ: 'decide+jwt', kid: key.kid }, claims) },
  { what: 'has no kid', token: signed(key, { alg: 'Ed25519', typ: 'decide+jwt' }, claims), passesJose: true },
  { what: 'names an unknown kid', token: signed(key, { ...header, kid: 'key-2' }, claims), passesJose: true },
  { what: 'names a kid of the prototype', token: signed(key, { ...header, kid: '__proto__' }, claims), passesJose: true },
  { what: 'has a kid that is no string', token: signed(key, { ...header, kid: 1 }, claims), passesJose: true },
  { what: 'is signed by another key under our kid', token: signed(newKey('key-1'), header, claims) },
  ...['../../../etc/passwd', '/dev/null', 'key-1\u0000', 'sw:{x}:profile', "key-1' or '1'='1", 'https://evil.example/keys', ''].map(
    (kid) => ({
      what: `names ${JSON.stringify(kid)} as its kid`,
      token: signed(key, { ...header, kid }, claims),
      passesJose: true as const,
    }),
  ),
  ...['none', 'None', 'NONE', 'nOnE'].map((alg) => ({
    what: `says alg ${alg} without a signature`,
    token: `${encoded({ ...header, alg })}.${goodPayload}.`,
  })),
  { what: 'is HS256 keyed with the public key and a newline', token: hmacWithPublicKey('\n') },
  { what: 'is HS256 keyed with a space and the public key', token: hmacWithPublicKey('', ' ') },
  { what: 'says where its certificate is', token: signed(key, { ...header, x5u: 'https://evil.example/c.pem' }, claims), passesJose: true },
  { what: 'has an unencoded payload and does not say that it is critical', token: signed(key, { ...header, b64: false }, claims) },
  { what: 'names the thumbprint of a certificate', token: signed(key, { ...header, 'x5t#S256': 'x' }, claims), passesJose: true },
  {
    what: 'has ten thousand claims',
    token: signed(key, header, { ...claims, ...Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`c${at}`, at])) }),
    passesJose: true,
  },
  { what: 'is a megabyte long', token: withClaims({ pad: 'x'.repeat(1_000_000) }), passesJose: true },
  { what: 'embeds its own key', token: signed(key, { ...header, jwk: newKey('x').publicJwk }, claims), passesJose: true },
  { what: 'points to keys elsewhere', token: signed(key, { ...header, jku: 'https://evil.example' }, claims), passesJose: true },
  { what: 'brings a certificate', token: signed(key, { ...header, x5c: ['x'] }, claims), passesJose: true },
  { what: 'has a crit header', token: signed(key, { ...header, crit: ['x'], x: 1 }, claims) },
  { what: 'has an unencoded payload', token: signed(key, { ...header, b64: false, crit: ['b64'] }, claims) },
  {
    what: 'repeats a header name',
    token: signed(key, `{"alg":"Ed25519","typ":"decide+jwt","kid":"key-1","kid":"key-1"}`, claims),
    passesJose: true,
  },
  { what: 'repeats a claim', token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"sub":"victim-42"}`), passesJose: true },
  {
    what: 'repeats a claim in another spelling',
    token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"s\\u0075b":"victim-42"}`),
    passesJose: true,
  },
  {
    what: 'repeats a name deeper down',
    token: signed(key, header, `${JSON.stringify(claims).slice(0, -1)},"cnf":{"jkt":"a","jkt":"b"}}`),
    passesJose: true,
  },
  { what: 'has a space after it', token: `${good} `, passesJose: true },
  { what: 'has a newline after it', token: `${good}\n`, passesJose: true },
  { what: 'has a space before it', token: ` ${good}` },
  { what: 'has padding', token: `${good}==`, passesJose: true },
  {
    what: 'has another last character of the same bytes',
    token: `${goodHeader}.${goodPayload}.${otherSpelling(goodSignature)}`,
    passesJose: true,
  },
  { what: 'has one more character', token: `${good}A` },
  { what: 'is in plain base64', token: `${goodHeader}.${goodPayload}.${Buffer.from(goodSignature, 'base64url').toString('base64')}` },
  { what: 'has a changed payload', token: `${goodHeader}.${encoded({ ...claims, sub: 'victim-42' })}.${goodSignature}` },
  { what: 'has a payload that is a list', token: signed(key, header, '[]'), passesJose: true },
  { what: 'has a payload that is null', token: signed(key, header, 'null'), passesJose: true },
  { what: 'has a payload that is no JSON', token: signed(key, header, '{'), passesJose: true },
  { what: 'has a byte order mark', token: signed(key, header, `\uFEFF${JSON.stringify(claims)}`), passesJose: true },
  { what: 'is of type JWT', token: signed(key, { ...header, typ: 'JWT' }, claims), passesJose: true },
  { what: 'is a holder proof', token: signed(key, { ...header, typ: 'dpop+jwt' }, claims), passesJose: true },
  { what: 'has no type', token: signed(key, { alg: 'Ed25519', kid: key.kid }, claims), passesJose: true },
  { what: 'comes from another issuer', token: withClaims({ iss: 'https://evil.example' }), passesJose: true },
  { what: 'comes from our issuer and a slash', token: withClaims({ iss: `${issuer}/` }), passesJose: true },
  { what: 'is for another audience', token: withClaims({ aud: 'billing' }), passesJose: true },
  { what: 'is for us and another audience', token: withClaims({ aud: [audience, 'billing'] }), passesJose: true },
  { what: 'is for us twice', token: withClaims({ aud: [audience, audience] }), passesJose: true },
  { what: 'is for no audience', token: withClaims({ aud: [] }), passesJose: true },
  ...['iss', 'aud', 'sub', 'iat', 'exp', 'jti'].map((name) => ({
    what: `has no ${name}`,
    token: without(name),
    passesJose: true as const,
  })),
  ...['', '0', '000-0', '-1', 'null', 'NULL', 'undefined', 'anonymous', ' unknown ', 'x'.repeat(257), 7, null, ['a'], '\ud800'].map(
    (sub) => ({
      what: `names ${typeof sub === 'string' && sub.length > 20 ? 'a subject too long' : JSON.stringify(sub)} as its subject`,
      token: withClaims({ sub }),
      passesJose: true as const,
    }),
  ),
  { what: 'has an empty jti', token: withClaims({ jti: '' }), passesJose: true },
  { what: 'has a jti that is no string', token: withClaims({ jti: 1 }), passesJose: true },
  { what: 'has an exp that is a string', token: withClaims({ exp: String(nowSeconds + 60) }), passesJose: true },
  { what: 'has an endless exp', token: signed(key, header, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')), passesJose: true },
  { what: 'has a negative iat', token: withClaims({ iat: -1 }), passesJose: true },
  { what: 'was made in the future', token: withClaims({ iat: nowSeconds + 6 }), passesJose: true },
  { what: 'is not valid yet', token: withClaims({ nbf: nowSeconds + 6 }), passesJose: true },
  { what: 'has an nbf that is a string', token: withClaims({ nbf: 'now' }), passesJose: true },
  { what: 'lives longer than an hour', token: withClaims({ exp: nowSeconds + 3591 }), passesJose: true },
  { what: 'names an unknown method', token: withClaims({ idm: 'certain' }), passesJose: true },
  { what: 'has a null method', token: withClaims({ idm: null }), passesJose: true },
  ...[-1, 1.5, '1', null, 2 ** 53].map((gen) => ({
    what: `has generation ${JSON.stringify(gen)}`,
    token: withClaims({ gen }),
    passesJose: true as const,
  })),
  { what: 'has a cnf that is no object', token: withClaims({ cnf: 'jkt' }), passesJose: true },
  { what: 'has a thumbprint that is no string', token: withClaims({ cnf: { jkt: 1 } }), passesJose: true },
  { what: 'has an auth_time that is a string', token: withClaims({ auth_time: 'now' }), passesJose: true },
];
