/**
 * Under which secret the ids have their names. One that is configured is known at once; else the fleet's own is looked up in Redis, and
 * made there by whoever comes first. Nothing waits for it: until it is known, reads and writes are refused as without a connection.
 */
import { type KeyNames, keyNames, randomKeySecret, secretKey } from '../records/keys.ts';
import { keySecretTtlMs } from '../records/limits.ts';
import { StoreError } from '../records/store-error.ts';
import type { Connection } from './connection.ts';
import { agreeScript } from './scripts.ts';

/** What everybody has agreed on is looked at again: a Redis that was emptied gets it back before anybody makes another. */
const againMs = 5_000;
const retryMs = 50;
/** Somebody else wrote something there that is no secret of ours. */
const secretPattern = /^[\w-]{43}$/;

export interface Naming {
  /** Null: not known yet. */
  readonly names: KeyNames | null;
  unknown(): StoreError;
  /** There is a connection, and it may be to a server that has never heard of it. */
  connected(): void;
  /** Resolves once the names are known, or when the time is over. */
  known(withinMs: number): Promise<void>;
  close(): void;
}

export interface NamingParts {
  readonly keySecret: string | null;
  readonly reading: Connection;
  readonly writing: Connection;
}

const unknown = (): StoreError => new StoreError('disconnected', 'Redis has not told yet under which names its records are kept');

export function createNaming({ keySecret, reading, writing }: NamingParts): Naming {
  if (keySecret !== null) {
    return { names: keyNames(keySecret), unknown, connected() {}, known: async () => {}, close() {} };
  }
  let agreed: { readonly secret: string; readonly names: KeyNames } | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isAsking = false;
  let isClosed = false;
  const waiting = new Set<() => void>();

  async function lookUp(): Promise<string> {
    const kept = await reading.command('GET', secretKey, []);
    if (typeof kept === 'string') return kept;
    // What is agreed on here may be what others have written with: it comes back, where nobody has made another.
    return String(await writing.run(agreeScript, [secretKey], [agreed?.secret ?? randomKeySecret(), keySecretTtlMs]));
  }

  async function agree(): Promise<void> {
    if (isAsking || isClosed) return;
    isAsking = true;
    if (timer !== null) clearTimeout(timer);
    try {
      const secret = await lookUp();
      if (secretPattern.test(secret) && secret !== agreed?.secret) agreed = { secret, names: keyNames(secret) };
      if (agreed !== null) for (const settle of [...waiting]) settle();
    } catch {
      // Asked again below; whoever reads meanwhile is told.
    }
    isAsking = false;
    if (!isClosed) timer = setTimeout(() => void agree(), agreed === null ? retryMs : againMs).unref();
  }

  return {
    get names() {
      return agreed?.names ?? null;
    },
    unknown,
    connected: () => void agree(),
    known: (withinMs) =>
      new Promise((resolve) => {
        if (agreed !== null || isClosed) return resolve();
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
