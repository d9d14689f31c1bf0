/**
 * The shape of a compact JWS, before any signature is checked. Everything the library would let pass is refused here: header
 * members nobody asked for, padding, whitespace, a second spelling of the same bytes.
 */
import type { KeyAlgorithm } from './key-set.ts';
import { parseStrictObject } from './strict-json.ts';

export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>;
  readonly alg: string;
  readonly algorithm: KeyAlgorithm;
  readonly payload: Uint8Array;
}

/** `EdDSA` on an Ed25519 key is Ed25519 under its older name. */
const algorithmOfName: ReadonlyMap<unknown, KeyAlgorithm> = new Map([
  ['EdDSA', 'Ed25519'],
  ['Ed25519', 'Ed25519'],
  ['ES256', 'ES256'],
]);

/** Null unless it is three parts, each in its one spelling, under a header of these members and an algorithm of ours. */
export function parseCompactJws(text: string, headerNames: readonly string[]): CompactJws | null {
  const parts = text.split('.', 4);
  if (parts.length !== 3) return null;
  const [header, payload, signature] = parts.map(decodeCanonical);
  if (!header || !payload || !signature) return null;
  const members = parseStrictObject(header);
  if (members === null || !Object.keys(members).every((name) => headerNames.includes(name))) return null;
  const { alg } = members;
  const algorithm = algorithmOfName.get(alg);
  return typeof alg === 'string' && algorithm !== undefined ? { header: members, alg, algorithm, payload } : null;
}

const base64url = /^[A-Za-z0-9_-]+$/;

/** Null unless this is the one spelling of its bytes: no padding, no whitespace, no stray bits in the last character. */
export function decodeCanonical(part: string): Uint8Array | null {
  if (!base64url.test(part)) return null;
  const bytes = Buffer.from(part, 'base64url');
  return bytes.toString('base64url') === part ? bytes : null;
}
