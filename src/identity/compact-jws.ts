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
const algorithms: readonly Pick<CompactJws, 'alg' | 'algorithm'>[] = [
  { alg: 'EdDSA', algorithm: 'Ed25519' },
  { alg: 'Ed25519', algorithm: 'Ed25519' },
  { alg: 'ES256', algorithm: 'ES256' },
];

/** Null unless it is three parts, each in its one spelling, under a header of these members and an algorithm of ours. */
export function parseCompactJws(text: string, headerNames: readonly string[]): CompactJws | null {
  const parts = text.split('.', 4);
  if (parts.length !== 3) return null;
  const [header, payload, signature] = parts.map(decodeCanonical);
  if (!header || !payload || !signature) return null;
  const members = parseStrictObject(header);
  if (members === null || !Object.keys(members).every((name) => headerNames.includes(name))) return null;
  const named = algorithms.find(({ alg }) => alg === members.alg);
  return named === undefined ? null : { header: members, ...named, payload };
}

/** Null unless this is the one spelling of some bytes: no other alphabet, no padding, no whitespace, no stray bits in the last character. */
export function decodeCanonical(part: string): Uint8Array | null {
  const bytes = Buffer.from(part, 'base64url');
  return part !== '' && bytes.toString('base64url') === part ? bytes : null;
}
