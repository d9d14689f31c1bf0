/**
 * Under which secret the ids have their names. All of a fleet must have the same: who has another one finds no denial, no tombstone and no
 * revocation. So Redis keeps either the secret itself, made by whoever comes first where none is configured, or the configured one's
 * fingerprint, and who cannot agree with what it keeps reads and writes nothing. Nothing waits for it: until it is known, reads and writes
 * are refused as without a connection.
 */
import { type KeyNames, keyNames, keySecretPattern, randomKeySecret, secretKey, tagLength } from '../records/keys.ts';
import { keySecretTtlMs } from '../records/limits.ts';
import { StoreError } from '../records/store-error.ts';
import type { Connection } from './connection.ts';
import { agreeScript } from './scripts.ts';

/** What everybody has agreed on is looked at again: a Redis that was emptied gets it back before anybody makes another. */
const againMs = 5_000;
const retryMs = 50;

/** `other_key_secret`: records were written under another secret. `unusable_names`: what stands in its place none of us wrote. */
export type Disagreement = 'other_key_secret' | 'unusable_names';

export interface Naming {
  /** Null: not known yet, or not to be used. */
  readonly names: KeyNames | null;
  /** Why there are none. */
  unknown(): StoreError;
  /** There is a connection, and it may be to a server that has never heard of it. */
  connected(): void;
  /** Resolves once the names are known or refused, or when the time is over. */
  known(withinMs: number): Promise<void>;
  close(): void;
}

export interface NamingParts {
  readonly keySecret: string | null;
  readonly reading: Connection;
  readonly writing: Connection;
  /** Told once, and again only after all was well in between. */
  readonly onDisagreement?: ((why: Disagreement) => void) | undefined;
  /** In place of `againMs`. */
  readonly lookAgainMs?: number | undefined;
}

export function createNaming({ keySecret, reading, writing, onDisagreement, lookAgainMs = againMs }: NamingParts): Naming {
  const configured = keySecret === null ? null : keyNames(keySecret);
  let agreed: { readonly kept: string; readonly names: KeyNames } | null = null;
  let disagreement: Disagreement | null = null;
  /** How often in a row there was nothing to agree with. */
  let disagreements = 0;
  let isRenewed = false;
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;
  const waiting = new Set<() => void>();

  /** What somebody scribbled over it does not change what all have agreed on; that records have other names does. */
  const usable = (): KeyNames | null => (disagreement === 'other_key_secret' ? null : (agreed?.names ?? null));

  async function lookUp(): Promise<string> {
    const kept = await reading.command('GET', secretKey, []);
    if (typeof kept === 'string') return kept;
    // What is agreed on here may be what others have written with: it comes back, where nobody has made another.
    const mine = agreed?.kept ?? (configured === null ? randomKeySecret() : fingerprintText(configured));
    return String(await writing.run(agreeScript, [secretKey], [mine, keySecretTtlMs]));
  }

  function judge(kept: string): void {
    const [fingerprint, told] = keptIn(kept);
    const names = configured ?? told ?? agreed?.names ?? null;
    if (fingerprint === null) disagree('unusable_names');
    else if (names?.fingerprint !== fingerprint) disagree('other_key_secret');
    else {
      if (agreed?.names.fingerprint !== fingerprint) agreed = { kept, names };
      disagreement = null;
      disagreements = 0;
    }
  }

  function disagree(why: Disagreement): void {
    disagreements += 1;
    if (disagreement !== why) onDisagreement?.(why);
    disagreement = why;
  }

  /** Once for each connection, and never waited for. */
  function renew(): void {
    if (isRenewed || disagreement !== null) return;
    isRenewed = true;
    writing.command('PEXPIRE', secretKey, [keySecretTtlMs]).catch(() => {
      isRenewed = false;
    });
  }

  async function agree(): Promise<void> {
    if (isAsking || isClosed) return;
    isAsking = true;
    if (timer !== null) clearTimeout(timer);
    try {
      judge(await lookUp());
      renew();
    } catch (error) {
      // Anything else is asked again below; whoever reads meanwhile is told.
      if (isOfAnotherType(error)) disagree('unusable_names');
    }
    if (usable() !== null || disagreement !== null) for (const settle of [...waiting]) settle();
    isAsking = false;
    if (!isClosed) timer = setTimeout(() => void agree(), nextLookMs()).unref();
  }

  function nextLookMs(): number {
    if (disagreement === null) return agreed === null ? retryMs : lookAgainMs;
    return Math.min(lookAgainMs, retryMs * 2 ** Math.min(disagreements, 10));
  }

  return {
    get names() {
      return usable();
    },
    unknown() {
      if (isClosed) return new StoreError('closed', 'the store is closed');
      if (disagreement !== null) return new StoreError('other_names', sentences[disagreement]);
      return new StoreError('disconnected', 'Redis has not told yet under which names its records are kept');
    },
    connected() {
      isRenewed = false;
      void agree();
    },
    known: (withinMs) =>
      new Promise((resolve) => {
        if (usable() !== null || disagreement !== null || isClosed) return resolve();
        const settle = (): void => {
          clearTimeout(timeout);
          waiting.delete(settle);
          resolve();
        };
        const timeout = setTimeout(settle, withinMs);
        waiting.add(settle);
      }),
    close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      for (const settle of [...waiting]) settle();
    },
  };
}

const sentences: Readonly<Record<Disagreement, string>> = {
  other_key_secret: 'the records in Redis are stored under another key secret than this process has',
  unusable_names: `what stands in Redis under \`${secretKey}\` is neither a key secret nor the fingerprint of one`,
};

const fingerprintHeader = 'f1';
const fingerprintPattern = new RegExp(`^${fingerprintHeader}[\\w-]{${tagLength}}$`);

function fingerprintText({ fingerprint }: KeyNames): string {
  return fingerprintHeader + fingerprint;
}

/** The fingerprint, and the names where the secret itself is told. */
function keptIn(kept: string): readonly [string, KeyNames | null] | readonly [null, null] {
  if (fingerprintPattern.test(kept)) return [kept.slice(fingerprintHeader.length), null];
  if (!keySecretPattern.test(kept)) return [null, null];
  const names = keyNames(kept);
  return [names.fingerprint, names];
}

function isOfAnotherType(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'refused' && error.message.endsWith('WRONGTYPE');
}
