/**
 * A stable 32-bit hash for breaking ties: the same on every engine, because it uses 32-bit integers only. FNV-1a over UTF-16
 * units (low byte, then high byte), then the finaliser of MurmurHash3, so that near-equal ids do not get near-equal hashes.
 */
export function stableHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
