/**
 * Reads a body as JSON, strictly: no key twice in one object, no deeper than 16 levels, no more than 2,000 members, objects and lists. `JSON.parse` keeps the last of
 * two equal keys in silence, and a denial followed by a grant must not become a grant.
 */
import { isUtf8 } from 'node:buffer';
import { ProblemError, pointerOf } from './problem.ts';

const depthMax = 16;
/**
 * Whoever checks a body pays for each of these, and for a wrong one many times: 4,600 attributes that no policy declares cost 8 ms.
 * A policy declares at most 1,000 attributes of one kind.
 */
export const bodyPartsMax = 2_000;

export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new ProblemError('malformed_json');
  const text = bytes.toString('utf8');
  const value = parse(text);
  checkShape(text);
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, so it is dropped.
    throw new ProblemError('malformed_json');
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** One pass over text that is known to be JSON: a string followed by a colon is a key of the object we are in. */
function checkShape(text: string): void {
  const open: (Set<string> | null)[] = [];
  let parts = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = endOfString(text, at);
        const keys = open.at(-1);
        if (keys && isKey(text, end)) {
          if (!addKey(keys, text.slice(at, end))) throw repeated(pathTo(text, at));
          if (++parts > bodyPartsMax) throw tooMany();
        }
        at = end - 1;
        break;
      }
      case 0x7b:
      case 0x5b:
        if (open.length === depthMax) throw tooDeep();
        if (++parts > bodyPartsMax) throw tooMany();
        open.push(text.charCodeAt(at) === 0x7b ? new Set() : null);
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        break;
    }
  }
}

/** Just after the closing quote. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes++;
  return backslashes % 2 === 1;
}

function isKey(text: string, end: number): boolean {
  let at = end;
  while (text.charCodeAt(at) <= 0x20) at++;
  return text.charCodeAt(at) === 0x3a;
}

/** False where the object has the key already. */
function addKey(keys: Set<string>, quoted: string): boolean {
  const before = keys.size;
  keys.add(nameOf(quoted));
  return keys.size > before;
}

/** `"a"` and `"\u0061"` are one key. */
function nameOf(quoted: string): string {
  return quoted.includes('\\') ? JSON.parse(quoted) : quoted.slice(1, -1);
}

/** Where the key stands that begins at `place`: read again from the start, which only a mistake costs. */
function pathTo(text: string, place: number): readonly (string | number)[] {
  const path: (string | number)[] = [];
  for (let at = 0; at <= place; at++) {
    switch (text.charCodeAt(at)) {
      case quote: {
        const end = endOfString(text, at);
        if (typeof path.at(-1) === 'string' && isKey(text, end)) path[path.length - 1] = nameOf(text.slice(at, end));
        at = end - 1;
        break;
      }
      case 0x7b:
        path.push('');
        break;
      case 0x5b:
        path.push(0);
        break;
      case 0x2c: {
        const last = path.at(-1);
        if (typeof last === 'number') path[path.length - 1] = last + 1;
        break;
      }
      case 0x7d:
      case 0x5d:
        path.pop();
        break;
    }
  }
  return path;
}

function repeated(path: readonly (string | number)[]): ProblemError {
  return new ProblemError('malformed_json', undefined, [{ pointer: pointerOf(path), detail: 'a key may stand only once in an object' }]);
}

function tooDeep(): ProblemError {
  return new ProblemError('malformed_json', undefined, [{ pointer: '', detail: `at most ${depthMax} levels are allowed` }]);
}

function tooMany(): ProblemError {
  const detail = `at most ${bodyPartsMax} members, objects and lists are allowed in all`;
  return new ProblemError('malformed_json', undefined, [{ pointer: '', detail }]);
}
