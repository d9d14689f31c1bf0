/**
 * The tables of `docs/privacy.md`: each requirement has one row, and what a row names as holding it exists to the letter, so
 * that a test which is renamed or deleted cannot go on being cited. Whether the test holds what the row says, people judge.
 */
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

const numbered = (family: string, count: number): readonly string[] => Array.from({ length: count }, (_, index) => `${family}${index + 1}`);

const ids: readonly string[] = [
  ...numbered('CON-', 20),
  ...numbered('PRE-', 7),
  ...numbered('REV-', 5),
  ...numbered('FRE-', 3),
  ...numbered('RET-', 6),
  ...numbered('IDN-', 6),
  ...numbered('TOK-', 10),
  ...numbered('CCH-', 12),
  ...numbered('TST-', 7),
  'TBL-1',
  ...numbered('KAN-', 3),
  ...numbered('DP-', 3),
  ...numbered('LOG-', 5),
  ...numbered('SEN-', 7),
  ...numbered('E', 10),
];

interface Row {
  readonly id: string;
  readonly asks: string;
  readonly holds: string;
}

function rowsOf(page: string): readonly Row[] {
  return page.split('\n').flatMap((line) => {
    const cells = /^\| ([A-Z]+-?\d+) +\| (.+?) +\| (.+?) +\|$/.exec(line);
    return cells ? [{ id: cells[1] ?? '', asks: cells[2] ?? '', holds: cells[3] ?? '' }] : [];
  });
}

interface Named {
  readonly file: string;
  /** Null: the file as a whole, which proves nothing by itself. */
  readonly title: string | null;
}

/** A file in backticks, and after it titles in quotation marks until the next file. */
function namedBy({ holds }: Row): readonly Named[] {
  let file = '';
  return [...holds.matchAll(/`(test\/[\w./-]+)`|“([^”]+)”/g)].map(([, path, title]) => {
    file = path ?? file;
    return { file, title: title ?? null };
  });
}

const sources = new Map<string, string | null>();

/** As it reads once the escapes of its strings are undone; null where there is no such file. */
function sourceOf(file: string): string | null {
  if (!sources.has(file)) {
    const exists = globSync(file, { cwd: root }).length === 1;
    sources.set(file, exists ? read(file).replaceAll('\\u2019', '’').replaceAll("\\'", "'").replaceAll('\\`', '`') : null);
  }
  return sources.get(file) ?? null;
}

const quotes = ["'", '"', '`'];

/** Whole: a title that is a part of another one is none. */
function isThere({ file, title }: Named): boolean {
  const source = sourceOf(file);
  if (source === null) return false;
  return title === null || quotes.some((quote) => source.includes(`${quote}${title}${quote}`));
}

function wrongIn(page: string): readonly string[] {
  return rowsOf(page).flatMap((row) => {
    const named = namedBy(row);
    const wrong = named.filter((one) => !isThere(one)).map(({ file, title }) => `${row.id}: ${file} “${title ?? ''}”`);
    const isProved = named.some(({ title }) => title !== null);
    if (!isProved && !row.holds.startsWith('DOES NOT EXIST HERE')) wrong.push(`${row.id}: no test, and no word of why`);
    return wrong;
  });
}

const page = read('docs/privacy.md');

describe('the tables of privacy', () => {
  it('have a row for each requirement, and one only, that says what it asks', () => {
    expect(rowsOf(page).map(({ id }) => id)).toEqual(expect.arrayContaining([...ids]));
    expect(rowsOf(page)).toHaveLength(ids.length);
  });

  it('name files and tests that exist, to the letter', () => {
    expect(wrongIn(page)).toEqual([]);
  });

  const row = '| PRE-1 | asks | `test/consent/merge.test.ts`: “twice is once” |';

  it.each([
    ['a test that was renamed', 'twice is once', 'twice is one thing'],
    ['half a title', 'twice is once', 'twice is'],
    ['a test of another file', 'merge.test.ts', 'signals.test.ts'],
    ['a file that is gone', 'merge.test.ts', 'merging.test.ts'],
  ])('would be seen to name %s', (_, right, wrong) => {
    expect(wrongIn(row)).toEqual([]);
    expect(wrongIn(row.replace(right, wrong))).not.toEqual([]);
  });

  it('would be seen to claim something without a test', () => {
    expect(wrongIn('| PRE-1 | asks | it does, believe it; `test/consent/merge.test.ts` |')).toEqual(['PRE-1: no test, and no word of why']);
  });
});

describe('what holds by not being there', () => {
  const named = /clear-site-data|set-cookie|headers(\.|\?\.|\[['"])cookie|@fastify\/cookie/i;

  it('no source names Clear-Site-Data, and none reads or sets a cookie', () => {
    const files = globSync('src/**/*.{ts,js}', { cwd: root });
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((file) => named.test(read(file)))).toEqual([]);
  });

  it.each([
    "reply.header('Clear-Site-Data', '\"cache\"')",
    "reply.header('set-cookie', id)",
    'request.headers.cookie',
    "raw.headers['cookie']",
  ])('would be seen in %s', (line) => expect(line).toMatch(named));
});
