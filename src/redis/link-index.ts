/**
 * The index of what is linked to a subject, by which an erasure finds it, in a cluster, where the links are other slots' than the index.
 * It is bounded, and what has ended or names somebody else by now makes room.
 *
 * INVARIANT: a link that stands is in the index of whom it names. It is added before it is written and again afterwards, and one that is
 * dropped is looked at again once it is out: whoever writes it at that moment, one of the two puts it back.
 */
import { headers, subjectTagOfIdentity } from '../records/codec.ts';
import { identityKey, linksKey, tombstoneKey } from '../records/keys.ts';
import { linksPerSubjectMax } from '../records/limits.ts';
import type { Connection } from './connection.ts';
import { inGroups } from './in-groups.ts';
import { textOf, textsOf } from './read.ts';
import { indexScript, unlinkScript } from './scripts.ts';

export interface IndexedLink {
  readonly tag: string;
  readonly subjectTag: string;
  readonly ttlMs: number;
}

export type Indexing = 'added' | 'erased' | 'too_many_links';

export interface LinkIndex {
  /** Before it is written. */
  add(link: IndexedLink): Promise<Indexing>;
  /** After it was written, which is when there is room for it in any case. */
  confirm(link: IndexedLink): Promise<Indexing>;
}

export function createLinkIndex(reading: Connection, writing: Connection): LinkIndex {
  const makingRoom = new Map<string, Promise<void>>();

  async function put({ tag, subjectTag, ttlMs }: IndexedLink, namesMax: number): Promise<Indexing> {
    const keys = [linksKey(subjectTag), tombstoneKey(subjectTag)];
    const answer = await writing.run(indexScript, keys, [tag, ttlMs, namesMax]);
    return answer === 2 ? 'erased' : answer === 3 ? 'too_many_links' : 'added';
  }

  const confirm = (link: IndexedLink): Promise<Indexing> => put(link, Number.MAX_SAFE_INTEGER);

  async function stands(tag: string, subjectTag: string): Promise<boolean> {
    const text = await textOf(reading, identityKey(tag));
    return text !== null && subjectTagOfIdentity(text) === subjectTag;
  }

  async function makeRoom({ subjectTag, ttlMs }: IndexedLink): Promise<void> {
    const key = linksKey(subjectTag);
    const tags = textsOf(await reading.command('SMEMBERS', key, []))?.filter((tag) => tag !== null) ?? [];
    const looked = await inGroups(tags, async (tag) => ({ tag, stands: await stands(tag, subjectTag) }));
    const ended = looked.filter((one) => !one.stands).map(({ tag }) => tag);
    if (ended.length === 0) return;
    await writing.command('SREM', key, ended);
    await inGroups(ended, async (tag) => {
      if (!(await stands(tag, subjectTag)) || (await confirm({ tag, subjectTag, ttlMs })) !== 'erased') return;
      // The erasure came while it was in no index.
      await writing.run(unlinkScript, [identityKey(tag)], [headers.identity + tag, subjectTag]);
    });
  }

  /** Many who come at once to one subject wait for the same look, which would else crowd out the decisions. */
  async function makeRoomOnce(link: IndexedLink): Promise<void> {
    const { subjectTag } = link;
    const underWay = makingRoom.get(subjectTag) ?? makeRoom(link).finally(() => makingRoom.delete(subjectTag));
    makingRoom.set(subjectTag, underWay);
    await underWay;
  }

  return {
    async add(link) {
      const indexing = await put(link, linksPerSubjectMax);
      if (indexing !== 'too_many_links') return indexing;
      await makeRoomOnce(link);
      return put(link, linksPerSubjectMax);
    },
    confirm,
  };
}
