/** Reads the file of API keys. It holds hashes only; still, no message ever quotes what it holds. */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ApiKey, keyScopes } from '../contract/key-scopes.ts';
import { names, nearestName } from '../policy/suggest.ts';
import { limitedKeysMax } from '../records/rate-board.ts';
import { parseInstantMs } from '../time/instant.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';

const shape = 'it must be a JSON list of { "id": "…", "sha256": "64 hex digits", "scopes": ["decide", …] }';
const hashOfNothing = hash('sha256', '');
const mistakesToldMax = 20;
const requestsPerSecondMax = 1_000_000;

/** Rejects with every mistake at once. */
export async function readApiKeys(path: string): Promise<readonly ApiKey[]> {
  const fail = (why: string): CannotRun => new CannotRun(`STEPWELL_API_KEYS \`${path}\`: ${why}`);
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fail(systemSentence(error));
  });
  const listed = parseJson(text);
  if (!Array.isArray(listed)) throw fail(shape);
  if (listed.length === 0) throw fail('it lists no key, so nobody could call; leave STEPWELL_API_KEYS unset to serve loopback callers');
  const mistakes = listed.flatMap((entry, index) => mistakesOf(entry).map((mistake) => `entry ${index + 1}: ${mistake}`));
  if (mistakes.length > 0) throw fail(mistakes.slice(0, mistakesToldMax).join('\n  '));
  const keys = (listed as readonly WrittenKey[]).map(keyOf);
  for (const [member, what] of repeatable) {
    const pair = firstPair(keys.map((key) => key[member]));
    if (pair !== null) throw fail(`entries ${pair[0] + 1} and ${pair[1] + 1} have the same \`${member}\`; ${what}`);
  }
  const limited = keys.filter(({ requestsPerSecond }) => requestsPerSecond !== undefined).length;
  if (limited > limitedKeysMax) {
    throw fail(
      `${limited} entries have \`requestsPerSecond\`, and processes keep no more than ${limitedKeysMax} rates together; leave it out of the others`,
    );
  }
  return keys;
}

/** An entry as it stands in the file. */
interface WrittenKey {
  readonly id: string;
  readonly sha256: string;
  readonly scopes: readonly string[];
  readonly publishable?: boolean;
  readonly requestsPerSecond?: number;
  readonly notAfter?: string;
}

const members = ['id', 'sha256', 'scopes', 'publishable', 'requestsPerSecond', 'notAfter'] as const satisfies readonly (keyof WrittenKey)[];

function keyOf({ id, sha256, scopes, publishable, requestsPerSecond, notAfter }: WrittenKey): ApiKey {
  return {
    id,
    sha256: sha256.toLowerCase(),
    scopes: [...scopes],
    ...(publishable === true ? { publishable } : {}),
    ...(requestsPerSecond === undefined ? {} : { requestsPerSecond }),
    ...(notAfter === undefined ? {} : { notAfterMs: instantOf(notAfter) ?? 0 }),
  };
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

/** Empty for an entry that is a key. */
function mistakesOf(entry: unknown): readonly string[] {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return [`this is not a key; ${shape}`];
  const { id, sha256, scopes } = entry as Partial<Record<keyof WrittenKey, unknown>>;
  const mistakes: string[] = [];
  if (typeof id !== 'string' || id.trim() === '') mistakes.push('`id` is missing or empty; write a name that tells whose key it is');
  else if (id.length > idCharsMax) mistakes.push(`\`id\` is longer than ${idCharsMax} characters`);
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)) {
    mistakes.push('`sha256` is not 64 hex digits; write what `printf %s "$KEY" | sha256sum` prints, never the key itself');
  } else if (sha256.toLowerCase() === hashOfNothing) {
    mistakes.push('`sha256` is the hash of an empty key, so the variable that was hashed was not set; make a random key and hash that');
  }
  return [...mistakes, ...scopeMistakesOf(scopes), ...boundMistakesOf(entry), ...memberMistakesOf(entry)];
}

const idCharsMax = 128;

function boundMistakesOf(entry: Partial<Record<keyof WrittenKey, unknown>>): readonly string[] {
  const { scopes, publishable, requestsPerSecond, notAfter } = entry;
  const mistakes: string[] = [];
  if (publishable !== undefined && typeof publishable !== 'boolean') mistakes.push('`publishable` is neither true nor false');
  if (publishable === true && !(Array.isArray(scopes) && scopes.length === 1 && scopes[0] === 'decide')) {
    mistakes.push('`publishable` keys can be read by anybody, so they may do one thing: write "scopes": ["decide"]');
  }
  if (requestsPerSecond !== undefined && !isRate(requestsPerSecond)) {
    mistakes.push(`\`requestsPerSecond\` is not a number above 0 and up to ${requestsPerSecondMax}; leave it out for no limit`);
  }
  if (notAfter !== undefined && instantOf(notAfter) === null) {
    mistakes.push('`notAfter` is no date; write one such as "2027-01-31" or "2027-01-31T12:00:00Z"');
  }
  return mistakes;
}

/** A bound whose name is misspelt would bind nobody; what is nothing like one may be somebody's note. */
function memberMistakesOf(entry: object): readonly string[] {
  const unknown = Object.keys(entry).filter((name) => !members.some((member) => member === name));
  return unknown.flatMap((name) => {
    const nearest = nearestName(name, members);
    return nearest === null ? [] : [`a member of it means nothing; did you mean \`${nearest}\`?`];
  });
}

function isRate(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && value <= requestsPerSecondMax;
}

/** A date alone is its midnight in UTC. */
function instantOf(text: unknown): number | null {
  return typeof text === 'string' ? parseInstantMs(text) : null;
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
