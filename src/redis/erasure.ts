/**
 * Erasing somebody: the tombstone and the records of the person's own slot in one step, which is when nothing reads them any more; then
 * the links that named the person, each in its own slot; then the receipt says that it is done. Said again, it does what is left to do.
 */
import { decodeIdentity, headers } from '../records/codec.ts';
import {
  decodeTombstone,
  type Erasure,
  type ErasureKey,
  encodeTombstone,
  erasureOf,
  type HeldLink,
  isErasureId,
  type Lifting,
  requestTagFrom,
  runningEnd,
  tombstoneHeader,
} from '../records/erasure.ts';
import { consentKey, identityKey, type KeyNames, linksKey, profileKey, tagLength, tombstoneKey } from '../records/keys.ts';
import { tombstoneLifeMs } from '../records/limits.ts';
import type { Store } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import type { Connection } from './connection.ts';
import { inGroups } from './in-groups.ts';
import { textOf, textsOf } from './read.ts';
import { readOnlyScript, script, unlinkScript } from './scripts.ts';

/**
 * KEYS: tombstone, profile, consent, links. ARGV: what the tombstone is to hold, its lifetime in ms, the request's name or nothing. Answers
 * what the tombstone holds, then the links. A request that has been heard changes no receipt.
 */
const eraseScript = script(`
local text, before = ARGV[1], redis.pcall('GET', KEYS[1])
if ARGV[3] ~= '' and type(before) == 'string' and string.sub(before, ${requestTagFrom + 1}, ${requestTagFrom + tagLength}) == ARGV[3] then
  text = before
else
  redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
end
redis.call('UNLINK', KEYS[2], KEYS[3])
local links = redis.pcall('SMEMBERS', KEYS[4])
local answer = { text }
if not links.err then for _, tag in ipairs(links) do answer[#answer + 1] = tag end end
return answer
`);

/** KEYS: tombstone, links. ARGV: the text it must still hold, the text to put in its place. */
const completeScript = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
redis.call('UNLINK', KEYS[2])
return 1
`);

/** KEYS: tombstone. ARGV: how it begins. 0 there is none, 1 lifted, 2 it is still running. */
const liftScript = script(`
local text = redis.pcall('GET', KEYS[1])
if type(text) ~= 'string' or string.sub(text, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
if string.sub(text, -1) == '${runningEnd}' then return 2 end
return redis.call('UNLINK', KEYS[1])
`);
const liftings = ['absent', 'lifted', 'running'] as const satisfies readonly Lifting[];

/** KEYS: links, tombstone. */
const linksScript = readOnlyScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then return {} end
local links = redis.pcall('SMEMBERS', KEYS[1])
if links.err then return {} end
return links
`);

/** KEYS: a link. Its text and the instant of its expiry, or null. */
const linkScript = readOnlyScript(`
local text, left = redis.pcall('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
if type(text) ~= 'string' or left < 0 then return false end
local now = redis.call('TIME')
return { text, string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + left) }
`);

export interface EraserParts {
  readonly reading: Connection;
  readonly writing: Connection;
  changing<T>(keys: readonly string[], work: () => Promise<T>): Promise<T>;
  names(): KeyNames;
  /** The wall clock, by which an erasure says when it was done. */
  nowMs(): number;
}

export type Eraser = Pick<Store, 'erase' | 'getErasure' | 'liftErasure' | 'linksOf'>;

export function createEraser({ reading, writing, changing, names, nowMs }: EraserParts): Eraser {
  async function unlink(tag: string, subjectTag: string): Promise<void> {
    const key = identityKey(tag);
    await changing([key], () => writing.run(unlinkScript, [key], [headers.identity + tag, subjectTag]));
  }

  async function getErasure(of: ErasureKey): Promise<Erasure | null> {
    const id = 'id' in of ? of.id : names().subject(of.subject);
    const text = isErasureId(id) ? await textOf(reading, tombstoneKey(id)) : null;
    const tombstone = text === null ? null : decodeTombstone(id, text);
    return tombstone === null ? null : erasureOf(tombstone);
  }

  return {
    async erase(subject, { atMs, requestId }) {
      const { subject: subjectName, request } = names();
      const tag = subjectName(subject);
      const requestTag = requestId === null ? null : request(requestId);
      const asked = encodeTombstone({ subjectTag: tag, requestTag, requestedAtMs: atMs, completedAtMs: null });
      const keys = [tombstoneKey(tag), profileKey(tag), consentKey(tag)];
      const links = linksKey(tag);
      const [text, ...tags] =
        textsOf(await changing(keys, () => writing.run(eraseScript, [...keys, links], [asked, tombstoneLifeMs, requestTag ?? '']))) ?? [];
      const tombstone = typeof text === 'string' ? decodeTombstone(tag, text) : null;
      if (typeof text !== 'string' || tombstone === null)
        throw new StoreError('misrouted', 'an answer of Redis belonged to another question');
      await inGroups(tags, (linkTag) => unlink(linkTag ?? '', tag));
      if (tombstone.completedAtMs !== null) return erasureOf(tombstone);
      const completed = { ...tombstone, completedAtMs: Math.max(nowMs(), tombstone.requestedAtMs) };
      await writing.run(completeScript, [tombstoneKey(tag), links], [text, encodeTombstone(completed)]);
      return erasureOf(completed);
    },

    getErasure,

    async liftErasure(id) {
      if ((await getErasure({ id })) === null) return 'absent';
      const key = tombstoneKey(id);
      return liftings[Number(await changing([key], () => writing.run(liftScript, [key], [tombstoneHeader + id])))] ?? 'absent';
    },

    async linksOf(subject) {
      const known = names();
      const tag = known.subject(subject);
      const tags = textsOf(await reading.run(linksScript, [linksKey(tag), tombstoneKey(tag)], [])) ?? [];
      const links = await inGroups(tags, async (linkTag): Promise<HeldLink | null> => {
        if (linkTag === null) return null;
        const key = identityKey(linkTag);
        const [text, expiresAt] = textsOf(await reading.run(linkScript, [key], [])) ?? [];
        const link = typeof text === 'string' ? decodeIdentity(linkTag, text, known) : null;
        if (link === null || link.subject !== subject) return null;
        return { name: linkTag, method: link.method, confidencePpm: link.confidencePpm, expiresAtMs: Number(expiresAt) };
      });
      return links.filter((link) => link !== null);
    },
  };
}
