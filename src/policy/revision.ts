/** Canonical JSON of an artefact, its hash, and freezing: what makes a revision mean the same content everywhere. */
import { createHash, type Hash } from 'node:crypto';

/** SHA-256 over canonical JSON (members sorted by name, no space), in hex. */
export function revisionOf(value: unknown): string {
  const hash = createHash('sha256');
  writeCanonical(value, hash);
  return hash.digest('hex');
}

/** Written piece by piece: the text of a policy with 100,000 offers need not exist at once. */
function writeCanonical(value: unknown, hash: Hash): void {
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      hash.update(index === 0 ? '[' : ',');
      writeCanonical(item, hash);
    });
    hash.update(value.length === 0 ? '[]' : ']');
  } else if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    members.forEach(([name, member], index) => {
      hash.update(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`);
      writeCanonical(member, hash);
    });
    hash.update(members.length === 0 ? '{}' : '}');
  } else {
    hash.update(JSON.stringify(value));
  }
}

/** Frozen to the last leaf: an artefact is shared by every decision and nothing may write to it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}

/**
 * For what an answer carries: members are frozen, lists are not, because JSON.stringify leaves its fast path at the first frozen
 * list (measured on Node 26: 9.7 against 2.5 µs for an answer of seven zones).
 */
export function freezeForWriting<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (!Array.isArray(value)) Object.freeze(value);
  for (const member of Object.values(value)) freezeForWriting(member);
  return value;
}
