/** How an address is written that a holder's proof names: the one form in which two spellings of it are the same text. */

/** As RFC 3986 §6.2.2 and §6.2.3 have it; null for what no proof may name. */
export function proofTargetOf(text: string): string | null {
  // The parser drops an empty query, tabs and newlines, and takes backslashes for slashes.
  if (!/^[\x21-\x7e]{1,2048}$/.test(text) || /[?#\\]/.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return null;
  return url.origin + url.pathname;
}
