/**
 * JSON as we accept it from outside: an object, bounded in depth, with no name twice. `JSON.parse` keeps the last of two equal
 * names without a word, and two readers that disagree about which one counts is how checks are walked around.
 */
import { Problem } from './problem.ts';

export const jsonDepthMax = 16;

export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Problem('invalid_json', 'the body is not JSON');
  }
  checkShape(text);
  return value;
}

/** One pass over text that is known to be JSON. */
function checkShape(text: string): void {
  const names: (Set<string> | null)[] = [];
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22: {
        const end = stringEnd(text, index);
        noteName(text, index, end, names.at(-1) ?? null);
        index = end;
        break;
      }
      case 0x7b:
      case 0x5b:
        names.push(text[index] === '{' ? new Set() : null);
        if (names.length > jsonDepthMax) throw new Problem('invalid_json', `the body is more than ${jsonDepthMax} levels deep`);
        break;
      case 0x7d:
      case 0x5d:
        names.pop();
        break;
    }
  }
}

function stringEnd(text: string, start: number): number {
  let index = start + 1;
  while (text[index] !== '"') index += text[index] === '\\' ? 2 : 1;
  return index;
}

const nameFollows = /[ \t\n\r]*:/y;

function noteName(text: string, start: number, end: number, names: Set<string> | null): void {
  if (names === null) return;
  nameFollows.lastIndex = end + 1;
  if (!nameFollows.test(text)) return;
  const raw = text.slice(start, end + 1);
  const name = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  if (names.has(name)) throw new Problem('invalid_json', 'an object of the body has the same name twice');
  names.add(name);
}
