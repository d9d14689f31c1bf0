/** Reads the file of API keys. It holds hashes only; still, no message ever quotes what it holds. */
import { readFile } from 'node:fs/promises';
import { CannotRun, systemSentence } from './cannot-run.ts';

export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly string[];
}

const shape = 'it must be a JSON list of { "id": "…", "sha256": "64 hex digits", "scopes": ["decide", …] }';

/** Null where the config names no file: then loopback callers have every scope, and there are no others. */
export async function readApiKeys(path: string | null): Promise<readonly ApiKey[] | null> {
  if (path === null) return null;
  const fail = (why: string): CannotRun => new CannotRun(`STEPWELL_API_KEYS \`${path}\`: ${why}`);
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fail(systemSentence(error));
  });
  const listed = parseJson(text);
  if (!Array.isArray(listed)) throw fail(shape);
  const keys = listed.map((entry, index) => {
    if (!isApiKey(entry)) throw fail(`entry ${index + 1} is not a key; ${shape}`);
    return { id: entry.id, sha256: entry.sha256.toLowerCase(), scopes: [...entry.scopes] };
  });
  if (keys.length === 0) throw fail('it lists no key, so nobody could call; leave STEPWELL_API_KEYS unset to serve loopback callers');
  for (const member of ['id', 'sha256'] as const) {
    if (new Set(keys.map((key) => key[member])).size !== keys.length) throw fail(`two entries have the same \`${member}\``);
  }
  return keys;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isApiKey(entry: unknown): entry is ApiKey {
  if (typeof entry !== 'object' || entry === null) return false;
  const { id, sha256, scopes } = entry as Partial<Record<keyof ApiKey, unknown>>;
  return (
    typeof id === 'string' &&
    id !== '' &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/i.test(sha256) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string')
  );
}
