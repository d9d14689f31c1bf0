/** Erasing somebody from the embedded store: the tombstone, the person's records and the links that name the person, in one transaction. */
import { decodeIdentity, subjectTagOfIdentity } from '../records/codec.ts';
import { decodeTombstone, encodeTombstone, erasureOf, type HeldLink, isErasureId } from '../records/erasure.ts';
import { consentKey, identityKey, type KeyNames, linksKey, profileKey, tagLength, tombstoneKey } from '../records/keys.ts';
import { linksPerSubjectMax, tombstoneLifeMs } from '../records/limits.ts';
import type { Store } from '../records/store.ts';

export interface EraserParts {
  readonly names: KeyNames;
  nowMs(): number;
  /** Of what is committed, whichever process did it. */
  look(key: string): string | null;
  expiryOf(key: string): number | null;
  /** These inside `durably` only. */
  get(key: string): string | null;
  put(key: string, text: string, expiresAtMs: number): void;
  remove(key: string): void;
  durably<T>(work: () => T): Promise<T>;
}

export type Eraser = Pick<Store, 'erase' | 'getErasure' | 'liftErasure' | 'linksOf'>;

export function createEraser({ names, nowMs, look, get, expiryOf, put, remove, durably }: EraserParts): Eraser {
  const linkTags = (index: string | null): readonly string[] => index?.match(tagPattern) ?? [];

  return {
    async erase(subject, { atMs, requestId }) {
      const tag = names.subject(subject);
      const requestTag = requestId === null ? null : names.request(requestId);
      return durably(() => {
        const completedAtMs = Math.max(nowMs(), atMs);
        const text = get(tombstoneKey(tag));
        const before = text === null ? null : decodeTombstone(tag, text);
        const isHeard = requestTag !== null && before?.requestTag === requestTag;
        const tombstone = isHeard ? before : { subjectTag: tag, requestTag, requestedAtMs: atMs, completedAtMs };
        if (!isHeard) put(tombstoneKey(tag), encodeTombstone(tombstone), nowMs() + tombstoneLifeMs);
        for (const link of linkTags(get(linksKey(tag)))) {
          const linkText = get(identityKey(link));
          if (linkText !== null && subjectTagOfIdentity(linkText) === tag) remove(identityKey(link));
        }
        for (const key of [profileKey(tag), consentKey(tag), linksKey(tag)]) remove(key);
        return erasureOf(tombstone);
      });
    },

    async getErasure(of) {
      const id = 'id' in of ? of.id : names.subject(of.subject);
      const text = isErasureId(id) ? look(tombstoneKey(id)) : null;
      const tombstone = text === null ? null : decodeTombstone(id, text);
      return tombstone === null ? null : erasureOf(tombstone);
    },

    async liftErasure(id) {
      if (!isErasureId(id)) return 'absent';
      // None is ever running: it is one transaction.
      return durably(() => {
        const text = get(tombstoneKey(id));
        if (text === null || decodeTombstone(id, text) === null) return 'absent';
        remove(tombstoneKey(id));
        return 'lifted';
      });
    },

    async linksOf(subject) {
      const tag = names.subject(subject);
      if (look(tombstoneKey(tag)) !== null) return [];
      return linkTags(look(linksKey(tag))).flatMap((name): HeldLink[] => {
        const key = identityKey(name);
        const text = look(key);
        const link = text === null ? null : decodeIdentity(name, text, names);
        if (link === null || link.subject !== subject) return [];
        return [{ name, method: link.method, confidencePpm: link.confidencePpm, expiresAtMs: expiryOf(key) ?? nowMs() }];
      });
    },
  };
}

/** The index of links is their names, one after the other. */
const tagPattern = new RegExp(`.{${tagLength}}`, 'g');

/** Which index stands after a link was written; what does not stand any more makes room. Null: there is none. */
export function withLink(index: string | null, linkTag: string, stands: (linkTag: string) => boolean): string | null {
  const tags = [...(index ?? '').matchAll(tagPattern)].map(([tag]) => tag);
  if (tags.includes(linkTag)) return tags.join('');
  const standing = tags.length < linksPerSubjectMax ? tags : tags.filter(stands);
  return standing.length < linksPerSubjectMax ? [...standing, linkTag].join('') : null;
}
