/** What devices decide by, read as one who trusts nobody: it goes to everybody, so it may name nothing but what the policy marks for them. */
import { createPublicKey, verify } from 'node:crypto';
import { anonymousVariants, cachedPolicyText, deviceVariant } from './policy.ts';

export interface PublicKey {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly kid: string;
}

/** But for its instants, which move on with each hour. Null: nobody whose keys these are has signed it. */
export function contentOf(jws: string, keys: readonly PublicKey[]): string | null {
  const [head = '', payload = '', signature = ''] = jws.split('.');
  try {
    const { kid } = JSON.parse(decoded(head));
    const jwk = keys.find((key) => key.kid === kid);
    if (jwk === undefined) return null;
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    if (!verify(null, Buffer.from(`${head}.${payload}`), key, Buffer.from(signature, 'base64url'))) return null;
    const { iat: _iat, nbf: _nbf, exp: _exp, ...content } = JSON.parse(decoded(payload));
    return JSON.stringify(content);
  } catch {
    return null;
  }
}

const decoded = (part: string): string => Buffer.from(part, 'base64url').toString();

const allowed: ReadonlySet<string> = new Set([...anonymousVariants, deviceVariant]);
/** What is said by variants that are not marked, and what rules ask that are not. */
const canaries: readonly RegExp[] = [
  ...Object.keys(JSON.parse(cachedPolicyText()).variants)
    .filter((id) => !allowed.has(id))
    .map((id) => new RegExp(`"says":"${id}"`)),
  /\bm\d\d\b/,
  /newsletter/,
];

/** What stands in it that may not leave for a device. */
export function strayIn(content: string): readonly string[] {
  return canaries.filter((canary) => canary.test(content)).map(({ source }) => source);
}
