/** `stepwell cache-report`: what the cacheable half of a policy costs a shared cache, by the numbers of a textbook and by a log. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hitRatio, replayedHitRatio, zipfShares } from '../../src/classes/expected-hits.ts';
import { stepwell, temporaryDirectory } from './run-stepwell.ts';

const policy = 'test/http/policy.yaml';
/** The strip tells eight visitor counts apart, which next to nobody of the log has. */
const costly = `
stepwell: 1
policy: shop
owner: tests
contextualWithoutSignal: true
attributes:
  request:
    country: { type: string, class: S0, values: [DE, FR] }
    visits: { type: int, class: S0 }
pages:
  home: { zones: [hero, strip] }
zones:
  hero:
    kind: content
    cache: { maxAgeSeconds: 60 }
    ladder:
      - { tier: segment, choose: [{ when: 'request.country == "DE"', variant: v1 }] }
      - &plain { tier: anonymous, variant: plain, approved: { by: Lead, on: 2026-01-01, until: 2099-01-01 } }
  strip:
    kind: content
    cache: { maxAgeSeconds: 60 }
    ladder:
      - tier: segment
        choose:
${[1, 2, 3, 4, 5, 6, 7, 8].map((count) => `          - { when: 'request.visits == ${count}', variant: v${count} }`).join('\n')}
      - *plain
variants:
${[1, 2, 3, 4, 5, 6, 7, 8].map((count) => `  v${count}: { content: ${count}, class: S0 }`).join('\n')}
  plain: { content: 0, class: S0 }
`;

describe('expected hits', () => {
  test('of one key are all but one in every lifetime', () => {
    // Ten a second, fresh for thirty seconds: one fetch, then 300 hits on average.
    expect(hitRatio([1], 10, 30)).toBeCloseTo(300 / 301, 12);
    expect(hitRatio([0.5, 0.5], 10, 30)).toBeCloseTo(150 / 151, 12);
    expect(hitRatio([1], 10, 0)).toBe(0);
  });

  test('fall as keys are added, and rise with the skew of what is wanted', () => {
    const ofKeys = (keys: number, skew: number) => hitRatio(zipfShares(keys, skew), 1, 30);
    expect(ofKeys(10, 1)).toBeGreaterThan(ofKeys(100, 1));
    expect(ofKeys(100, 2)).toBeGreaterThan(ofKeys(100, 1));
    expect([...zipfShares(3, 1)].map((share) => Math.round(share * 11))).toEqual([6, 3, 2]);
    expect([...zipfShares(4, 0)]).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  test('of a replay count from the fetch, not from the last hit', () => {
    const at = (...seconds: number[]) => seconds.map((second) => ({ key: 'k', atMs: second * 1000 }));
    expect(replayedHitRatio(at(0, 20, 29, 30, 40), 30)).toBe(3 / 5);
    expect(
      replayedHitRatio(
        [
          { key: 'a', atMs: 0 },
          { key: 'b', atMs: 1 },
          { key: 'a', atMs: 2 },
        ],
        30,
      ),
    ).toBe(1 / 3);
    expect(replayedHitRatio([], 30)).toBeNull();
  });
});

test('a table for people: each page, and under it each zone, with keys before and after', async () => {
  const { code, stdout, stderr } = await stepwell(['cache-report', policy]);
  expect([code, stderr]).toEqual([0, '']);
  const [head, , columns, ...rows] = stdout.trimEnd().split('\n');
  expect(head).toMatch(/^retail, revision [0-9a-f]{12}: 36000 requests an hour for each page, Zipf 1$/);
  expect(columns?.split(/ {2,}/)).toEqual([
    'page/zone',
    'reads',
    'raw keys',
    'classes',
    'answers',
    'hits raw',
    'hits',
    'costs',
    'fetches',
    'changes',
  ]);
  expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
    ['home', 'country', 'any', '3', '2', '–', '99.3%'],
    ['hero', 'country', 'any', '3', '2', '–', '99.3%', '0.5%', '74.9%', '33.3%'],
    ['offer_rail', '–', '1', '1', '1', '99.8%', '99.8%', '0.0%', '0.0%', '0.0%'],
  ]);
});

test('from a log: hits before and after, and the zones that cause more fetches than they change answers', async () => {
  await using directory = await temporaryDirectory();
  const [file, log] = [join(directory.path, 'shop.yaml'), join(directory.path, 'traffic.ndjson')];
  await writeFile(file, costly);
  // A thousand visitors, one every six seconds, nearly all of the tenth visit or later; every fiftieth is one of the first eight.
  const lines = Array.from({ length: 1000 }, (_, index) => {
    const visits = index % 50 === 0 ? 1 + ((index / 50) % 8) : 10 + (index % 500);
    return JSON.stringify({
      query: `page=home&country=${index % 2 === 0 ? 'DE' : 'FR'}&visits=${visits}`,
      at: 1_800_000_000_000 + index * 6000,
    });
  });
  await writeFile(log, [...lines, '{"query":"page=home&utm=x"}', 'nonsense', '{"query":"zones=hero"}', ''].join('\n'));
  const { code, stdout } = await stepwell(['cache-report', file, '--log', log, '--json']);
  const { assumed, pages, costly: found, problems } = JSON.parse(stdout);
  expect(code).toBe(1);
  expect(problems).toEqual([
    {
      line: lines.length + 1,
      message: expect.stringContaining('remove `utm`: known parameters are page, zones, audiences, country, visits'),
    },
    { line: lines.length + 2, message: expect.stringContaining('this is not { "query"') },
  ]);
  expect(assumed).toEqual({ requestsPerHour: 36_000, zipf: null, log: { requests: 1000, refused: 2, withoutPage: 1 } });
  const [{ answers, rawKeys, hitRatio: hits, zones }] = pages;
  expect([answers, rawKeys]).toEqual([18, null]);
  // Hardly anybody comes twice with the same count of visits within a minute; their classes do.
  expect(hits.raw).toBe(0);
  expect(hits.classes).toBeGreaterThan(0.75);
  const [hero, strip] = zones;
  expect([hero.zone, hero.isCostly, hero.changes]).toEqual(['hero', false, 0.5]);
  expect(strip).toMatchObject({ zone: 'strip', answers: 9, changes: 0.02 });
  // A rare visitor is a miss, and keeps nobody else from a hit; of few fetches it is many.
  expect(strip.costs).toBeCloseTo(0.02, 2);
  expect(strip.fetches).toBeGreaterThan(0.05);
  expect(found).toEqual([{ page: 'home', zone: 'strip' }]);
});

test('a zone of which an answer is rare costs more than it changes where pages are asked for seldom', async () => {
  await using directory = await temporaryDirectory();
  const [file, log] = [join(directory.path, 'shop.yaml'), join(directory.path, 'traffic.ndjson')];
  await writeFile(file, costly);
  // Two of a minute, alternately plain and of the third visit: apart, each is a miss; together, every second is a hit.
  const lines = Array.from({ length: 30 }, (_, index) =>
    JSON.stringify({ query: `page=home&visits=${index % 4 === 3 ? 3 : 9}`, at: index * 31_000 }),
  );
  await writeFile(log, lines.join('\n'));
  const { stdout } = await stepwell(['cache-report', file, '--log', log]);
  expect(stdout).toMatch(
    /^home: `strip` causes 31\.8% of fetches and changes 23\.3% of answers: ask for it apart, or tell fewer values of `visits` apart$/m,
  );
});

test('a log of more different questions than a call takes arguments is reported all the same', async () => {
  await using directory = await temporaryDirectory();
  const [file, log] = [join(directory.path, 'shop.yaml'), join(directory.path, 'traffic.ndjson')];
  // What a condition searches in stays as it is, so each of them is a class.
  await writeFile(
    file,
    costly.replaceAll(/request\.visits == (\d)/g, 'request.word.contains("$1")').replace('visits: { type: int', 'word: { type: string'),
  );
  const count = 150_000;
  await writeFile(log, Array.from({ length: count }, (_, index) => `{"query":"page=home&word=w${index}","at":${index}}`).join('\n'));
  const { code, stdout, stderr } = await stepwell(['cache-report', file, '--log', log, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  const { assumed, pages } = JSON.parse(stdout);
  expect(assumed.log).toEqual({ requests: count, refused: 0, withoutPage: 0 });
  expect(pages[0].zones[1]).toMatchObject({ zone: 'strip', classes: null, changes: (count - 1) / count });
});

test('a page that may have more keys than answers says why, and what is told as it is', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'shop.yaml');
  await writeFile(file, costly.replace(`'request.country == "DE"'`, `'request.country.contains("D")'`).replace(', values: [DE, FR]', ''));
  const { stdout } = await stepwell(['cache-report', file]);
  expect(stdout).toMatch(
    /^home: there may be more keys than answers, because a condition needs an attribute itself, .* \(reads_raw\); told as it is: `country`$/m,
  );
  const [home] = JSON.parse((await stepwell(['cache-report', file, '--json'])).stdout).pages;
  expect([home.because, home.raw, home.zones[1].because, home.zones[1].raw]).toEqual(['reads_raw', ['country'], null, []]);
});

test('lines of a log that hold no question are named with their number and why, the first of them, and none of what they held', async () => {
  await using directory = await temporaryDirectory();
  const log = join(directory.path, 'log.ndjson');
  const wrong = ['', '{"query":"page=home&country=DE&device=sec ret"}', '{"query":"page=home","at":"sometime"}', ...Array(12).fill('null')];
  await writeFile(log, ['{"query":"page=home"}', ...wrong].join('\n'));
  const { code, stdout, stderr } = await stepwell(['cache-report', policy, '--log', log]);
  expect([code, stdout.split('\n')[0]]).toEqual([1, expect.stringContaining('1 requests of the log (14 lines refused, 0 without a page)')]);
  const told = stderr.trimEnd().split('\n');
  expect(told.slice(0, -1).map((line) => line.slice(0, line.indexOf(': ')))).toEqual([...Array(10).keys()].map((at) => `${log}:${at + 3}`));
  expect(told[0]).toContain('the service would not answer it: `device`: percent-encode');
  expect(told[1]).toContain('`at` is no instant');
  expect(told.at(-1)).toBe(`${log}: and 4 more lines`);
  expect(stderr).not.toMatch(/sec ret|sometime/);
});

test.each([
  [['cache-report', 'nowhere.yaml'], 2, /cannot be read/],
  [['cache-report', 'test/http/policy.yaml', '--zipf', 'x'], 2, /write a number from 0 to 10/],
  [['cache-report', 'test/http/policy.yaml', '--requests', '0x10'], 2, /write a number from 1 to 1000000000000/],
  [['cache-report', 'test/http/policy.yaml', '--log', 'nowhere.ndjson'], 2, /cannot be read/],
  [['cache-report', 'test/http/policy.yaml', '--log', 'x', '--zipf', '1'], 2, /give one of them/],
  [['cache-report', 'package.json'], 1, /package\.json:\d+:\d+/],
] as const)('%j ends with %d and says why', async (args, code, sentence) => {
  const finished = await stepwell(args);
  expect([finished.code, finished.stdout]).toEqual([code, '']);
  expect(finished.stderr).toMatch(sentence);
});
