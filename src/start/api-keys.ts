/** Reads the file of API keys. It holds hashes only; still, no message ever quotes what it holds. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ApiKey, keyScopes } from '../contract/key-scopes.ts';
import { names, nearestName } from '../policy/suggest.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';

const shape = 'it must be a JSON list of { "id": "…", "sha256": "64 hex digits", "scopes": ["decide", …] }';
const hashOfNothing = hash('sha256', '');
const mistakesToldMax = 20;

/** Null where the config names no file: then loopback callers have every scope, and there are no others. */
export async function readApiKeys(path: string | null): Promise<readonly ApiKey[] | null> {
  if (path === null) return null;
  const fail = (why: string): CannotRun => new CannotRun(`STEPWELL_API_KEYS \`${path}\`: ${why}`);
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fail(systemSentence(error));
  });
  const listed = parseJson(text);
  if (!Array.isArray(listed)) throw fail(shape);
  if (listed.length === 0) throw fail('it lists no key, so nobody could call; leave STEPWELL_API_KEYS unset to serve loopback callers');
  const mistakes = listed.flatMap((entry, index) => mistakesOf(entry).map((mistake) => `entry ${index + 1}: ${mistake}`));
  if (mistakes.length > 0) throw fail(mistakes.slice(0, mistakesToldMax).join('\n  '));
  const keys = (listed as readonly ApiKey[]).map(({ id, sha256, scopes }) => ({ id, sha256: sha256.toLowerCase(), scopes: [...scopes] }));
  for (const [member, what] of repeatable) {
    const pair = firstPair(keys.map((key) => key[member]));
    if (pair !== null) throw fail(`entries ${pair[0] + 1} and ${pair[1] + 1} have the same \`${member}\`; ${what}`);
  }
  return keys;
}

const repeatable = [
  ['id', 'write another name for one of them'],
  ['sha256', 'they are one key: write it once, with all its scopes'],
] as const;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Empty for an entry that is an `ApiKey`. */
function mistakesOf(entry: unknown): readonly string[] {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return [`this is not a key; ${shape}`];
  const { id, sha256, scopes } = entry as Partial<Record<keyof ApiKey, unknown>>;
  const mistakes: string[] = [];
  if (typeof id !== 'string' || id.trim() === '') mistakes.push('`id` is missing or empty; write a name that tells whose key it is');
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)) {
    mistakes.push('`sha256` is not 64 hex digits; write what `printf %s "$KEY" | sha256sum` prints, never the key itself');
  } else if (sha256.toLowerCase() === hashOfNothing) {
    mistakes.push('`sha256` is the hash of an empty key, so the variable that was hashed was not set; make a random key and hash that');
  }
  return [...mistakes, ...scopeMistakesOf(scopes)];
}

function scopeMistakesOf(scopes: unknown): readonly string[] {
  const allowed = `write some of ${names(keyScopes)}`;
  if (!Array.isArray(scopes)) return [`\`scopes\` is not a list; ${allowed}`];
  return scopes.flatMap((scope, index) => {
    if (keyScopes.some((known) => known === scope)) return [];
    const nearest = typeof scope === 'string' ? nearestName(scope, keyScopes) : null;
    return [`item ${index + 1} of \`scopes\` is no scope; ${nearest === null ? allowed : `did you mean \`${nearest}\`?`}`];
  });
}

function firstPair(values: readonly string[]): readonly [number, number] | null {
  const second = values.findIndex((value, index) => values.indexOf(value) !== index);
  const value = values[second];
  return value === undefined ? null : [values.indexOf(value), second];
}
