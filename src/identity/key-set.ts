/**
 * The issuer's public keys, imported once when they are loaded and never on the request path. A key set is replaced whole or
 * not at all: a new one that does not import leaves the old one standing.
 */
import { readFile } from 'node:fs/promises';
import { type CryptoKey, importJWK, type JWK } from 'jose';
import { isObject } from './strict-json.ts';

export type KeyAlgorithm = 'Ed25519' | 'ES256';

export interface VerificationKey {
  readonly algorithm: KeyAlgorithm;
  readonly key: CryptoKey;
}

export interface KeySet {
  /** Changes whenever the keys do: whatever was verified under another revision has to be verified again. */
  readonly revision: number;
  find(kid: string): VerificationKey | undefined;
  /** Whether it is so long since anybody knew these keys to be the issuer's that no token may be judged by them. */
  isStale(nowMs: number): boolean;
  /** A well-formed token named a key that is not here: there may be a new one. */
  missed(): void;
}

export interface ReplaceableKeySet extends KeySet {
  /** Rejects with a `KeySetError`, and keeps the old keys, where the new ones are not fit for use. */
  replace(jwks: unknown): Promise<void>;
}

export interface KeySetInFile extends KeySet {
  /** Reads the file again. Resolves with whether its keys are others; rejects with a `KeySetError`, and keeps the old ones, where it is unfit. */
  reload(): Promise<boolean>;
}

/** The key set is not fit for use. The message names the key and what to do, never key material. */
export class KeySetError extends Error {
  override readonly name = 'KeySetError';
}

type KeyNaming = 'by kid' | 'by number';

const keysMax = 100;
const fileBytesMax = 1_048_576;

export async function keySetOf(jwks: unknown): Promise<ReplaceableKeySet> {
  const keySet = emptyKeySet();
  await keySet.replace(jwks);
  return keySet;
}

/**
 * Knows no key until it is replaced. Messages name a key by its `kid`, or by its number where the set is somebody else's to write: what
 * comes from elsewhere is not for a log.
 */
export function emptyKeySet(naming: KeyNaming = 'by kid'): ReplaceableKeySet {
  let keys: ReadonlyMap<string, VerificationKey> = new Map();
  let revision = 0;
  return {
    get revision() {
      return revision;
    },
    find: (kid) => keys.get(kid),
    // The operator's own file is as good as its last change, however long ago.
    isStale: () => false,
    missed() {},
    async replace(next) {
      keys = await importKeys(next, naming);
      revision += 1;
    },
  };
}

export async function loadKeySet(path: string): Promise<KeySetInFile> {
  const keys = emptyKeySet();
  let knownText: string | null = null;

  async function reload(): Promise<boolean> {
    try {
      const jwks = await readJson(path);
      const text = JSON.stringify(jwks);
      // The same keys again: what was verified under them stays so.
      if (text === knownText) return false;
      await keys.replace(jwks);
      knownText = text;
      return true;
    } catch (cause) {
      if (cause instanceof KeySetError) throw new KeySetError(`key set \`${path}\`: ${cause.message}`, { cause: cause.cause });
      throw new KeySetError(`key set \`${path}\` cannot be read`, { cause });
    }
  }

  await reload();
  return {
    get revision() {
      return keys.revision;
    },
    find: keys.find,
    isStale: keys.isStale,
    missed: keys.missed,
    reload,
  };
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await readFile(path);
  if (bytes.length > fileBytesMax) throw new KeySetError(`it is larger than ${fileBytesMax} bytes`);
  try {
    return JSON.parse(bytes.toString());
  } catch {
    // The parser's message quotes what it read, and the file may be a private key given by mistake: so no cause.
    throw new KeySetError('it is not JSON');
  }
}

async function importKeys(jwks: unknown, naming: KeyNaming): Promise<ReadonlyMap<string, VerificationKey>> {
  if (!isObject(jwks) || !Array.isArray(jwks.keys)) throw new KeySetError('it must be a JSON object with a list `keys`');
  if (jwks.keys.length > keysMax) throw new KeySetError(`it has more than ${keysMax} keys`);
  const keys = new Map<string, VerificationKey>();
  for (const [index, jwk] of jwks.keys.entries()) {
    const name = naming === 'by kid' ? nameOf(jwk, index) : numberOf(index);
    const checked = checkKey(jwk, name);
    if (checked === null) continue;
    if (keys.has(checked.kid)) throw new KeySetError(`${name} has the \`kid\` of another key: every key needs its own`);
    keys.set(checked.kid, { algorithm: checked.algorithm, key: await importKey(checked, name) });
  }
  if (keys.size === 0) throw new KeySetError('it has no signing key of type Ed25519 or P-256');
  return keys;
}

interface CheckedKey {
  readonly kid: string;
  readonly algorithm: KeyAlgorithm;
  readonly public: { readonly kty: string; readonly crv: string; readonly x: string; readonly y: unknown };
}

interface Curve {
  readonly crv: string;
  readonly kty: string;
  readonly algorithm: KeyAlgorithm;
  readonly names: readonly unknown[];
}

const curves: readonly Curve[] = [
  { crv: 'Ed25519', kty: 'OKP', algorithm: 'Ed25519', names: ['EdDSA', 'Ed25519'] },
  { crv: 'P-256', kty: 'EC', algorithm: 'ES256', names: ['ES256'] },
];

/**
 * Null for a public key that serves something else (RSA, encryption, another curve): issuers publish mixed sets. A secret in the
 * set is an error, not a skip: somebody has to hear that it was given away.
 */
function checkKey(jwk: unknown, name: string): CheckedKey | null {
  if (!isObject(jwk)) throw new KeySetError(`${name} is not an object`);
  if (jwk.kty === 'oct' || 'k' in jwk) throw new KeySetError(`${name} is symmetric: give the issuer's public keys only`);
  if ('d' in jwk) throw new KeySetError(`${name} is a private key: give its public half, without \`d\`, and consider it exposed`);
  const curve = curves.find(({ crv }) => crv === jwk.crv);
  if (curve === undefined || jwk.kty !== curve.kty || !isForVerifying(jwk)) return null;
  if (jwk.alg !== undefined && !curve.names.includes(jwk.alg)) {
    throw new KeySetError(
      `${name} is of curve \`${curve.crv}\` and names another algorithm: \`alg\` must be ${curve.names.join(' or ')}, or absent`,
    );
  }
  if (typeof jwk.kid !== 'string' || jwk.kid === '') throw new KeySetError(`${name} has no \`kid\`: every key needs one`);
  if (typeof jwk.x !== 'string' || (jwk.kty === 'EC' && typeof jwk.y !== 'string')) throw new KeySetError(`${name} lacks its coordinates`);
  return { kid: jwk.kid, algorithm: curve.algorithm, public: { kty: curve.kty, crv: curve.crv, x: jwk.x, y: jwk.y } };
}

function isForVerifying({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  if (use !== undefined && use !== 'sig') return false;
  return !Array.isArray(operations) || operations.includes('verify');
}

async function importKey(checked: CheckedKey, name: string): Promise<CryptoKey> {
  try {
    return (await importJWK(checked.public as JWK, checked.algorithm)) as CryptoKey;
  } catch (cause) {
    throw new KeySetError(`${name} does not import: its coordinates are not a point of the curve`, { cause });
  }
}

function nameOf(jwk: unknown, index: number): string {
  return isObject(jwk) && typeof jwk.kid === 'string' && jwk.kid !== '' ? `key \`${jwk.kid}\`` : numberOf(index);
}

function numberOf(index: number): string {
  return `key number ${index + 1}`;
}
