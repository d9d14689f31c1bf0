/**
 * Reads strict JSON (RFC 8259) into the same tree as YAML, for a policy that is named `.json`: what a JSON parser elsewhere would
 * refuse is refused here, with its place and what to write. It stops at the first mistake in the syntax, for what follows one was
 * read wrongly.
 */
import type { LineCounter } from 'yaml';
import { checkKey, documentDepthMax, type Entry, fitsInMemory, isRounded, type Node, reportTooDeep, roundedNumber } from './document.ts';
import { excerpt } from './excerpt.ts';
import type { Report } from './problems.ts';

/** The document's root, or null when there is nothing to go on with; every reason is in the report. */
export function readJsonDocument(text: string, lines: LineCounter, report: Report): Node | null {
  if (!fitsInMemory(text, report)) return null;
  countLines(text, lines);
  const reader = new JsonReader(text, report);
  try {
    return reader.readDocument();
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return null;
  }
}

function countLines(text: string, lines: LineCounter): void {
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
}

/** Ends the reading; what is wrong is in the report. */
class Unreadable extends Error {}

const space = /[ \t\n\r]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** What may stand in a text as it is: all from the space on, but the quote and the backslash. */
const plainCharacters = /[ !#-[\]-\uffff]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;
/** What somebody meant as one value or name, to be quoted in a message. */
const word = /[^\s"',:{}[\]]+/y;

const literals: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
const anyValue = 'write text in double quotes, a number, true, false, null, a list or a map';

class JsonReader {
  #at = 0;
  readonly #text: string;
  readonly #report: Report;

  constructor(text: string, report: Report) {
    this.#text = text;
    this.#report = report;
  }

  readDocument(): Node | null {
    // Editors of one system write a byte order mark, and the standard lets a reader pass over it.
    if (this.#text.startsWith('\ufeff')) this.#at++;
    this.#skipSpace();
    if (this.#at === this.#text.length) {
      this.#report.error('missing-field', 0, 'the document is empty: begin with `{ "stepwell": 1, "policy": "<name>" }`');
      return null;
    }
    const root = this.#readValue(1);
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail(this.#at, 'a policy is one value, so remove what follows its end');
    return root;
  }

  #readValue(depth: number): Node | null {
    const at = this.#at;
    if (depth > documentDepthMax) {
      reportTooDeep(this.#report, at);
      throw new Unreadable();
    }
    switch (this.#text[at]) {
      case '{':
        return { kind: 'map', at, entries: this.#readEntries(at, depth) };
      case '[':
        return { kind: 'list', at, items: this.#readItems(at, depth) };
      case '"': {
        const value = this.#readText();
        return { kind: 'scalar', at, end: this.#at, style: 'double', value };
      }
      default:
        return this.#readNumberOrWord(at);
    }
  }

  #readEntries(openedAt: number, depth: number): readonly Entry[] {
    const entries: Entry[] = [];
    const seen = new Set<string>();
    this.#readMembers(openedAt, '}', () => {
      const keyAt = this.#at;
      if (this.#text[keyAt] !== '"') this.#fail(keyAt, this.#adviceForKey());
      const key = this.#readText();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') this.#fail(this.#at, `write \`:\` and a value after the key \`${excerpt(key)}\``);
      this.#at++;
      this.#skipSpace();
      const value = this.#readValue(depth + 1);
      if (checkKey(this.#report, seen, key, keyAt) && value !== null) entries.push({ key, keyAt, value });
    });
    return entries;
  }

  #readItems(openedAt: number, depth: number): readonly Node[] {
    const items: Node[] = [];
    this.#readMembers(openedAt, ']', () => {
      const item = this.#readValue(depth + 1);
      if (item !== null) items.push(item);
    });
    return items;
  }

  /** From the opening mark to behind the closing one; `readOne` stands at the first character of each member. */
  #readMembers(openedAt: number, closing: '}' | ']', readOne: () => void): void {
    const what = closing === '}' ? 'map' : 'list';
    this.#at++;
    this.#skipSpace();
    if (this.#text[this.#at] === closing) {
      this.#at++;
      return;
    }
    for (;;) {
      if (this.#at === this.#text.length) this.#fail(openedAt, `this ${what} is not closed: write \`${closing}\` at its end`);
      readOne();
      this.#skipSpace();
      const mark = this.#text[this.#at];
      const markAt = this.#at++;
      if (mark === closing) return;
      if (mark === undefined) this.#fail(openedAt, `this ${what} is not closed: write \`${closing}\` at its end`);
      if (mark !== ',') this.#fail(markAt, `write \`,\` between the members of a ${what}, or \`${closing}\` at its end`);
      this.#skipSpace();
      if (this.#text[this.#at] === closing) this.#fail(markAt, `remove the comma before \`${closing}\``);
    }
  }

  #readText(): string {
    const start = this.#at++;
    for (;;) {
      this.#match(plainCharacters);
      const mark = this.#text[this.#at];
      if (mark === '"') break;
      if (mark === undefined) this.#fail(start, 'this text is not closed: write `"` at its end');
      if (mark === '\\') {
        if (this.#match(escaped) === '')
          this.#fail(this.#at, 'write a backslash as `\\\\`, or one of `\\" \\/ \\b \\f \\n \\r \\t \\u0000`');
      } else if (mark === '\n' || mark === '\r')
        this.#fail(start, 'this text is not closed on its line: write `"` at its end, and a line break as `\\n`');
      else
        this.#fail(
          this.#at,
          mark === '\t' ? 'write a tab within text as `\\t`' : 'write a control character within text as `\\u` and four hex digits',
        );
    }
    this.#at++;
    return JSON.parse(this.#text.slice(start, this.#at));
  }

  #readNumberOrWord(at: number): Node | null {
    const written = this.#peek(word);
    if (Object.hasOwn(literals, written)) {
      this.#at += written.length;
      return { kind: 'scalar', at, end: this.#at, style: 'plain', value: literals[written] ?? null };
    }
    if (written === '' || this.#peek(number) !== written) this.#fail(at, this.#adviceForValue(written));
    this.#at += written.length;
    const value = Number(written);
    if (!isRounded(written, value) && Number.isFinite(value)) return { kind: 'scalar', at, end: this.#at, style: 'plain', value };
    this.#report.error('not-json', at, Number.isFinite(value) ? roundedNumber : 'this number is too large: write a finite number');
    return null;
  }

  #adviceForKey(): string {
    const mark = this.#text[this.#at];
    if (mark === "'") return 'write a key in double quotes, not single ones';
    const written = this.#peek(word);
    if (isComment(written)) return noComments;
    return written === '' ? 'write a key in double quotes' : `write the key as \`"${excerpt(written)}"\`, in double quotes`;
  }

  #adviceForValue(written: string): string {
    if (this.#text[this.#at] === "'") return 'write text in double quotes, not single ones';
    if (isComment(written)) return noComments;
    if (/^[+-]?\.?\d/.test(written))
      return `\`${excerpt(written)}\` is no number of JSON: write digits without \`+\` or leading zeros, with digits on both sides of a point`;
    const lower = written.toLowerCase();
    if (Object.hasOwn(literals, lower)) return `write \`${lower}\` in lower case`;
    return written === '' ? anyValue : `\`${excerpt(written)}\` is no value: ${anyValue}`;
  }

  #skipSpace(): void {
    this.#match(space);
  }

  #match(pattern: RegExp): string {
    const found = this.#peek(pattern);
    this.#at += found.length;
    return found;
  }

  #peek(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0] ?? '';
  }

  #fail(at: number, advice: string): never {
    this.#report.error('syntax', at, `this is not JSON: ${advice}`);
    throw new Unreadable();
  }
}

const noComments = 'JSON has no comments, so remove this one, or write the policy as `.yaml`';

function isComment(written: string): boolean {
  return /^(?:\/\/|\/\*|#)/.test(written);
}
