/**
 * The store for one machine and no services: LMDB in a directory. It keeps its data across restarts, several processes may open the
 * same directory, and a write is acknowledged when it is on the disk. Reads are synchronous inside and see one snapshot.
 */
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { makeDataDirectory, makePrivateFile } from '../files/data-directory.ts';
import {
  decodeProfile,
  decodeSession,
  encodeConsent,
  encodeSession,
  stampedIdentity,
  subjectTagOfIdentity,
  unreadable,
} from '../records/codec.ts';
import { endsSessionData, type HeldConsent } from '../records/consent-record.ts';
import {
  consentKey,
  generationKey,
  identityKey,
  linksKey,
  presence,
  profileKey,
  proofKey,
  revokedTokenKey,
  sessionConsentKey,
  sessionKey,
  tombstoneKey,
} from '../records/keys.ts';
import { batchChunkMax, generationTtlMs, instantOf, proofLifeOf, ttlMsOf } from '../records/limits.ts';
import { consentFrom, generationFrom, heldConsentFrom, linkFrom, profileFrom, readingBy, sessionFrom, tagsOf } from '../records/reading.ts';
import type { ReadPlan, Store, StoredProfile, StoreReading, StoreWrite, WriteOutcome } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import {
  consentAfterWithdrawal,
  consentGenerationIn,
  consentTextAfterPut,
  mergedSession,
  type PreparedWrite,
  prepare,
} from '../records/writes.ts';
import type { Clock } from '../time/clock.ts';
import { createAnnouncements } from './announcements.ts';
import { createEraser, withLink } from './erasure.ts';
import { namesUnderSecret } from './secret-of-names.ts';

export interface EmbeddedStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Under which ids have their names; absent: a random one that is kept in the directory. */
  readonly keySecret?: string | null | undefined;
  /** How often expired records are removed from the disk; they stop being readable at their instant, whatever this says. */
  readonly sweepEveryMs?: number;
  /** Calls back again and again and returns its `dispose`; by default a timer that keeps no process alive. */
  readonly repeat?: (everyMs: number, callback: () => void) => () => void;
}

export interface EmbeddedStore extends Store {
  readonly kind: 'embedded';
  /** Removes at most `sweepRecordsMax` expired records and says how many. */
  sweepExpired(): Promise<number>;
}

export const sweepRecordsMax = 512;

/** Digits of the expiry that stands before every value, and before every key in the index of expiries. */
const instantDigits = 16;

/** Throws a `StoreError` where the records in the directory have their names under another secret. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): EmbeddedStore {
  const { directory, clock, sweepEveryMs = 1_000, repeat = repeatUnreferenced } = options;
  makeDataDirectory(directory);
  const path = join(directory, 'store.mdb');
  // Before the library does, which would let everybody read them.
  for (const file of [path, `${path}-lock`]) makePrivateFile(file);
  const root = open<string, string>({ path, noSubdir: true, maxDbs: 4, encoding: 'string' });
  const records: Database<string, string> = root.openDB('records', { encoding: 'string' });
  /** `<expiry><key>` of every record, in the order of expiry, so that a sweep touches only what has expired. */
  const expiries: Database<string, string> = root.openDB('expiries', { encoding: 'string' });
  const names = openedOrClosed(root, () =>
    namesUnderSecret({ directory, configured: options.keySecret ?? null, about: root.openDB('about', { encoding: 'string' }) }),
  );
  const announcements = createAnnouncements({
    kept: root.openDB('announcements', { encoding: 'string' }),
    nowMs: () => Math.trunc(clock.nowMs()),
    transaction: async (work) => {
      if (closing !== null) throw closed();
      return root.transaction(work);
    },
    refresh: () => records.resetReadTxn(),
    repeat,
  });
  let closing: Promise<void> | null = null;
  let sweeping: Promise<void> = Promise.resolve();

  /** Null where nothing living is stored. */
  function get(key: string, nowMs: number): string | null {
    const stored = records.get(key);
    if (stored === undefined) return null;
    const expiresAtMs = expiryOf(stored);
    if (expiresAtMs === null) return unreadable;
    return expiresAtMs > nowMs ? stored.slice(instantDigits) : null;
  }

  function look(key: string): string | null {
    if (closing !== null) throw closed();
    records.resetReadTxn();
    return get(key, clock.nowMs());
  }

  const exists = (key: string, nowMs: number): boolean => get(key, nowMs) !== null;

  /** Inside a transaction only. */
  function put(key: string, text: string, expiresAtMs: number): void {
    forgetExpiry(key);
    const instant = String(expiresAtMs).padStart(instantDigits, '0');
    records.put(key, instant + text);
    expiries.put(instant + key, '');
  }

  /** Inside a transaction only. */
  function remove(key: string): void {
    forgetExpiry(key);
    records.remove(key);
  }

  function forgetExpiry(key: string): void {
    const before = records.get(key);
    if (before !== undefined) expiries.remove(before.slice(0, instantDigits) + key);
  }

  /** Resolves when the work is committed and flushed to the disk. */
  async function durably<T>(work: () => T): Promise<T> {
    if (closing !== null) throw closed();
    const outcome = await root.transaction(work);
    await root.flushed;
    return outcome;
  }

  function readNow(plan: ReadPlan): StoreReading {
    if (closing !== null) throw closed();
    // Another process may have committed a revocation since this turn of the event loop took its snapshot.
    records.resetReadTxn();
    const nowMs = clock.nowMs();
    return readingBy(plan, tagsOf(plan, names), {
      isErased: (tag) => exists(tombstoneKey(tag), nowMs),
      link: (tag) => linkFrom(tag, get(identityKey(tag), nowMs), names),
      generation: (tag) => generationFrom(get(generationKey(tag), nowMs)),
      isRevoked: (tag) => exists(revokedTokenKey(tag), nowMs),
      consent: (tag) => consentFrom(tag, get(consentKey(tag), nowMs)),
      sessionConsent: (tag) => consentFrom(tag, get(sessionConsentKey(tag), nowMs)),
      profile: (tag) => profileFrom(tag, get(profileKey(tag), nowMs)),
      session: (tag) => sessionFrom(tag, get(sessionKey(tag), nowMs)),
    });
  }

  /** Inside a transaction only: the check against the tombstone and the write cannot come apart. */
  function apply(prepared: PreparedWrite): WriteOutcome {
    const nowMs = clock.nowMs();
    if (prepared.subjectTag !== null && exists(tombstoneKey(prepared.subjectTag), nowMs)) return 'erased';
    const outcome = exists(prepared.key, nowMs) ? 'replaced' : 'created';
    const { subjectTag, linkTag } = prepared;
    if (linkTag !== undefined && subjectTag !== null && !index(subjectTag, linkTag, nowMs + prepared.ttlMs)) return 'too_many_links';
    const before = get(prepared.key, nowMs);
    const text = prepared.textAfter(before);
    put(prepared.key, prepared.linkTag === undefined ? text : stampedIdentity(text, before, nowMs), nowMs + prepared.ttlMs);
    return outcome;
  }

  /** Inside a transaction only. False: there is no room. */
  function index(subjectTag: string, linkTag: string, expiresAtMs: number): boolean {
    const key = linksKey(subjectTag);
    const nowMs = clock.nowMs();
    const before = get(key, nowMs);
    const links = withLink(before, linkTag, (tag) => subjectTagOfIdentity(get(identityKey(tag), nowMs) ?? '') === subjectTag);
    if (links === null) return false;
    const standsUntilMs = before === null ? 0 : (expiryOf(records.get(key) ?? '') ?? 0);
    put(key, links, Math.max(standsUntilMs, expiresAtMs));
    return true;
  }

  async function writeBatch(writes: readonly StoreWrite[]): Promise<readonly WriteOutcome[]> {
    const prepared = writes.map((one) => prepare(one, names));
    const outcomes: WriteOutcome[] = [];
    for (let from = 0; from < prepared.length; from += batchChunkMax) {
      if (closing !== null) throw closed();
      outcomes.push(...(await root.transaction(() => prepared.slice(from, from + batchChunkMax).map(apply))));
    }
    await root.flushed;
    return outcomes;
  }

  async function write(one: StoreWrite): Promise<WriteOutcome> {
    const prepared = prepare(one, names);
    return durably(() => apply(prepared));
  }

  async function sweepExpired(): Promise<number> {
    const end = String(clock.nowMs()).padStart(instantDigits, '0');
    const due = Array.from(expiries.getKeys({ end, limit: sweepRecordsMax }));
    if (due.length === 0) return 0;
    return durably(() => {
      for (const entry of due) {
        const instant = entry.slice(0, instantDigits);
        const key = entry.slice(instantDigits);
        // The record may have been written anew since: its index entry is then another one.
        if (records.get(key)?.startsWith(instant) === true) records.remove(key);
        expiries.remove(entry);
      }
      return due.length;
    });
  }

  async function sweepAll(): Promise<void> {
    while (closing === null && (await sweepExpired()) === sweepRecordsMax);
  }

  let sweepUnderWay = false;
  const stopSweeping = repeat(sweepEveryMs, () => {
    if (sweepUnderWay || closing !== null) return;
    sweepUnderWay = true;
    // A sweep that fails is tried again at the next beat; what has expired is unreadable meanwhile.
    sweeping = sweepAll()
      .catch(() => {})
      .finally(() => {
        sweepUnderWay = false;
      });
  });

  return {
    kind: 'embedded',
    read: async (plan) => readNow(plan),
    putProfile: (subject, profile, ttlSeconds) => write({ kind: 'profile', subject, profile, ttlSeconds }),
    putIdentity: (namespace, value, link, ttlSeconds) => write({ kind: 'identity', namespace, value, link, ttlSeconds }),

    async consentGeneration(subject) {
      if (closing !== null) throw closed();
      records.resetReadTxn();
      const tag = names.subject(subject);
      return consentGenerationIn(tag, get(consentKey(tag), clock.nowMs()));
    },

    async putConsent(subject, consent, ttlSeconds, since) {
      const tag = names.subject(subject);
      const key = consentKey(tag);
      const ttlMs = ttlMsOf(ttlSeconds);
      // Refused before anything is locked.
      encodeConsent(tag, consent);
      return durably(() => {
        const nowMs = clock.nowMs();
        if (exists(tombstoneKey(tag), nowMs)) return 'erased';
        const before = get(key, nowMs);
        const text = consentTextAfterPut(tag, before, consent, since ?? null);
        if (text === null) return 'withdrawn';
        put(key, text, nowMs + ttlMs);
        return before === null ? 'created' : 'replaced';
      });
    },

    async getConsent(subject): Promise<HeldConsent | null> {
      if (closing !== null) throw closed();
      records.resetReadTxn();
      const nowMs = clock.nowMs();
      const tag = names.subject(subject);
      const text = exists(tombstoneKey(tag), nowMs) ? null : get(consentKey(tag), nowMs);
      return text === null ? null : heldConsentFrom(tag, text, expiryOf(records.get(consentKey(tag)) ?? '') ?? nowMs);
    },

    async withdrawConsent(subject, withdrawal) {
      const tag = names.subject(subject);
      const key = consentKey(tag);
      const ttlMs = ttlMsOf(withdrawal.ttlSeconds);
      return durably(() => {
        const nowMs = clock.nowMs();
        if (exists(tombstoneKey(tag), nowMs)) return null;
        const { record, text } = consentAfterWithdrawal(tag, get(key, nowMs), withdrawal, 'withdrawal');
        put(key, text, nowMs + ttlMs);
        return record;
      });
    },

    async withdrawSessionConsent(sessionId, withdrawal) {
      const tag = names.session(sessionId);
      const key = sessionConsentKey(tag);
      const ttlMs = ttlMsOf(withdrawal.ttlSeconds);
      await durably(() => {
        const nowMs = clock.nowMs();
        put(key, consentAfterWithdrawal(tag, get(key, nowMs), withdrawal, 'session').text, nowMs + ttlMs);
        if (endsSessionData(withdrawal)) remove(sessionKey(tag));
      });
    },

    putSession: async (sessionId, session, ttlSeconds) => {
      await write({ kind: 'session', sessionId, session, ttlSeconds });
    },

    async getProfile(subject): Promise<StoredProfile | null> {
      if (closing !== null) throw closed();
      records.resetReadTxn();
      const nowMs = clock.nowMs();
      const tag = names.subject(subject);
      const stored = exists(tombstoneKey(tag), nowMs) ? undefined : records.get(profileKey(tag));
      const expiresAtMs = stored === undefined ? null : expiryOf(stored);
      if (stored === undefined || expiresAtMs === null || expiresAtMs <= nowMs) return null;
      const profile = decodeProfile(tag, stored.slice(instantDigits));
      return profile === null ? null : { ...profile, expiresAtMs };
    },

    async deleteProfile(subject) {
      const key = profileKey(names.subject(subject));
      return durably(() => {
        const existed = exists(key, clock.nowMs());
        remove(key);
        return existed;
      });
    },

    async patchSession(sessionId, session) {
      const tag = names.session(sessionId);
      const key = sessionKey(tag);
      return durably(() => {
        const stored = records.get(key);
        const expiresAtMs = stored === undefined ? null : expiryOf(stored);
        if (stored === undefined || expiresAtMs === null || expiresAtMs <= clock.nowMs()) return false;
        const before = decodeSession(tag, stored.slice(instantDigits));
        if (before === null) return false;
        put(key, encodeSession(tag, mergedSession(before, session)), expiresAtMs);
        return true;
      });
    },

    ...createEraser({
      names,
      nowMs: () => clock.nowMs(),
      look,
      get: (key) => get(key, clock.nowMs()),
      expiryOf: (key) => expiryOf(records.get(key) ?? ''),
      put,
      remove,
      durably,
    }),

    async raiseGeneration(subject) {
      const key = generationKey(names.subject(subject));
      return durably(() => {
        const nowMs = clock.nowMs();
        const raised = generationFrom(get(key, nowMs)) + 1;
        put(key, String(raised), nowMs + generationTtlMs);
        return raised;
      });
    },

    async revokeToken(tokenId, untilMs) {
      const until = instantOf(untilMs);
      const key = revokedTokenKey(names.token(tokenId));
      await durably(() => {
        const standing = records.get(key);
        const standsUntil = standing === undefined ? 0 : Number(standing.slice(0, instantDigits));
        // A revocation can be made longer, never shorter: saying it again must not take it back.
        if (until > clock.nowMs() && until > standsUntil) put(key, presence, until);
      });
    },

    async claimProof(proofId, lifeMs) {
      const key = proofKey(names.proof(proofId));
      const life = proofLifeOf(lifeMs);
      if (closing !== null) throw closed();
      // Committed is enough for everybody who asks; a decision waits for it, and not for the disk.
      return root.transaction(() => {
        const nowMs = clock.nowMs();
        if (exists(key, nowMs)) return false;
        put(key, presence, nowMs + life);
        return true;
      });
    },

    writeBatch,
    announce: announcements.announce,
    listen: announcements.listen,
    ping: async () => {
      if (closing !== null) throw closed();
      records.get(presence);
    },
    sweepExpired,
    close() {
      closing ??= (async () => {
        stopSweeping();
        announcements.close();
        await sweeping;
        await root.flushed;
        await root.close();
      })();
      return closing;
    },
  };
}

/** A store that is refused leaves no handle behind. */
function openedOrClosed<T>(root: RootDatabase<string, string>, open: () => T): T {
  try {
    return open();
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** Null where what is stored does not open with an instant. */
function expiryOf(stored: string): number | null {
  const digits = stored.slice(0, instantDigits);
  return /^\d{16}$/.test(digits) ? Number(digits) : null;
}

function closed(): StoreError {
  return new StoreError('closed', 'the store is closed');
}

function repeatUnreferenced(everyMs: number, callback: () => void): () => void {
  const timer = setInterval(callback, everyMs).unref();
  return () => clearInterval(timer);
}
