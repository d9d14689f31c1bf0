/**
 * The keys that sign what devices decide by. The first signs; the others were signed with, or will be, and are published beside it, so that
 * a device which holds an older artefact, or meets a replica that changed keys before another, finds the key that it needs. Everybody may
 * have the public halves, and nothing here ever shows a private one.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject, sign as signBytes } from 'node:crypto';
import { isObject } from './strict-json.ts';

export interface ArtefactKeys {
  /** A compact JWS. The same payload has the same text wherever this key signs: Ed25519 draws nothing. */
  sign(payload: object): string;
  /** RFC 7517. */
  readonly jwks: { readonly keys: readonly PublicArtefactKey[] };
}

export interface PublicArtefactKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'Ed25519';
  readonly use: 'sig';
}

/** The keys are not fit for use. The message says what to do, never key material. */
export class ArtefactKeyError extends Error {
  override readonly name = 'ArtefactKeyError';
}

const artefactMediaType = 'stepwell-artefact+jws';

const keysMax = 8;
const kidPattern = /^[\w.:-]{1,64}$/;

/** A private key in JSON, as a file keeps it. */
export function newArtefactKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { kty, crv, x, d } = privateKey.export({ format: 'jwk' });
  return `${JSON.stringify({ kty, crv, x, d, kid: thumbprintOf(x), alg: 'Ed25519', use: 'sig' })}\n`;
}

/** Of a private JWK, or of a set whose first key is private. Throws an `ArtefactKeyError`. */
export function artefactKeysOf(text: string): ArtefactKeys {
  const given = parsed(text);
  const list: readonly unknown[] = Array.isArray(given.keys) ? given.keys : [given];
  if (list.length === 0 || list.length > keysMax) throw new ArtefactKeyError(`it must have 1 to ${keysMax} keys`);
  const keys = list.map(readKey);
  const [first] = keys;
  if (first === undefined || first.signing === null)
    throw new ArtefactKeyError('its first key, which signs, must be private: it lacks `d`');
  if (new Set(keys.map(({ published }) => published.kid)).size < keys.length) throw new ArtefactKeyError('two of its keys have one `kid`');
  const { signing, published } = first;
  const header = encoded({ alg: 'Ed25519', kid: published.kid, typ: artefactMediaType });
  return {
    sign(payload) {
      const signed = `${header}.${encoded(payload)}`;
      return `${signed}.${signBytes(null, Buffer.from(signed), signing).toString('base64url')}`;
    },
    jwks: { keys: keys.map((key) => key.published) },
  };
}

interface ReadKey {
  /** Null: a public key, for what another process signed. */
  readonly signing: KeyObject | null;
  readonly published: PublicArtefactKey;
}

function readKey(jwk: unknown, index: number): ReadKey {
  const name = `key number ${index + 1}`;
  if (!isObject(jwk) || jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519') throw new ArtefactKeyError(`${name} is no Ed25519 key in JWK form`);
  const { kid } = jwk;
  if (kid !== undefined && !(typeof kid === 'string' && kidPattern.test(kid))) {
    throw new ArtefactKeyError(`the \`kid\` of ${name} must be 1 to 64 letters, digits or marks of \`_.:-\`, or absent`);
  }
  const signing = jwk.d === undefined ? null : importedKey(() => createPrivateKey({ key: { ...jwk }, format: 'jwk' }), name);
  const { x } = (
    signing === null ? importedKey(() => createPublicKey({ key: { ...jwk }, format: 'jwk' }), name) : createPublicKey(signing)
  ).export({ format: 'jwk' });
  return { signing, published: { kty: 'OKP', crv: 'Ed25519', x: x ?? '', kid: kid ?? thumbprintOf(x), alg: 'Ed25519', use: 'sig' } };
}

/** Without a cause: what the library says may quote the key. */
function importedKey(load: () => KeyObject, name: string): KeyObject {
  try {
    return load();
  } catch {
    throw new ArtefactKeyError(`${name} does not import as an Ed25519 key`);
  }
}

/** Without a cause, for the same reason. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const given: unknown = JSON.parse(text);
    if (isObject(given)) return given;
  } catch {
    throw new ArtefactKeyError('it is not JSON');
  }
  throw new ArtefactKeyError('it must be a private JWK, or `{ "keys": [ … ] }` whose first key is one');
}

/** RFC 7638. */
function thumbprintOf(x: string | undefined): string {
  return hash('sha256', JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }), 'base64url');
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
