/**
 * Which addresses a holder's proof may name. They are configured, never taken from a request: behind a proxy the service does not
 * know by which address it was called, and whoever calls it may say anything.
 */

export interface ProofTargets {
  /** Whether a proof's `htu` is one of them. An `htu` with a query, a fragment or a user is none. */
  has(htu: string): boolean;
}

export const noProofTargets: ProofTargets = { has: () => false };

/** INVARIANT: `targets` are what `proofTargetOf` answers. */
export function proofTargetsOf(targets: Iterable<string>): ProofTargets {
  const known = new Set(targets);
  return {
    has(htu) {
      const target = proofTargetOf(htu);
      return target !== null && known.has(target);
    },
  };
}

/** The one form of an address that a proof may name (RFC 3986 §6.2.2, §6.2.3); null for what is none. */
export function proofTargetOf(text: string): string | null {
  // The parser drops an empty query, tabs and newlines, and takes backslashes for slashes.
  if (!/^[\x21-\x7e]{1,2048}$/.test(text) || /[?#\\]/.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  return url.origin + url.pathname;
}
