/**
 * The floors of the house, held by reading every file under `src`: imports go down, never up and never sideways; a library
 * that must stay replaceable has one importer; and the decision core touches nothing of the machine it runs on.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** A folder, or a file that stands directly in `src`, and the floor it is on. */
const floors: Readonly<Record<string, number>> = {
  decision: 0,
  time: 0,
  files: 0,
  records: 1,
  policy: 1,
  classes: 1,
  device: 1,
  redis: 2,
  embedded: 2,
  demo: 2,
  sources: 2,
  client: 2,
  evidence: 3,
  consent: 3,
  identity: 3,
  contract: 3,
  telemetry: 3,
  'config.ts': 3,
  http: 4,
  start: 4,
  'app.ts': 5,
  'main.ts': 6,
  cli: 7,
};

interface OnlyImporter {
  readonly packages: RegExp;
  readonly importers: readonly string[];
  readonly because: string;
}

const onlyImporters: readonly OnlyImporter[] = [
  { packages: /^yaml(\/|$)/, importers: ['policy'], because: 'authoring formats end at the compiler; everything else reads the artefact' },
  { packages: /^@marcbachmann\/cel-js(\/|$)/, importers: ['policy'], because: 'conditions are plain data once they are compiled' },
  { packages: /^ioredis(\/|$)/, importers: ['redis'], because: 'key names, scripts and connection kinds live in one place' },
  { packages: /^undici(\/|$)/, importers: ['sources'], because: 'what may be asked, and how a server is doubted, stand in one place' },
  { packages: /^lmdb(\/|$)/, importers: ['embedded'], because: 'the embedded store must be replaceable' },
  { packages: /^rolldown(\/|$)/, importers: ['client'], because: 'only what runs in pages is bundled' },
  { packages: /^jose(\/|$)/, importers: ['identity'], because: 'every check of a token stands in one place' },
  { packages: /^zod(\/|$)/, importers: ['contract'], because: 'the wire has one source of shapes, and none on the hot path' },
  { packages: /^ajv(\/|$)/, importers: ['contract'], because: 'validators are compiled once, from the one source of shapes' },
  {
    packages: /^(fastify|fastify-plugin|@fastify\/[\w-]+)(\/|$)/,
    importers: ['http', 'app.ts'],
    because: 'the web framework ends where the routes end',
  },
  { packages: /^commander(\/|$)/, importers: ['cli'], because: 'a service is told by its environment, only a person by words' },
  { packages: /^cli-progress(\/|$)/, importers: ['cli', 'start'], because: 'only what a person started has somebody to show progress to' },
  {
    packages: /^@opentelemetry\//,
    importers: ['telemetry'],
    because: 'names of spans and metrics, and what they may carry, stand in one place',
  },
];

/** The core must give the same answer to the byte in a service, an edge worker and a browser. */
const ambientWords: readonly { readonly word: RegExp; readonly because: string }[] = [
  { word: /\bDate\b/, because: 'time is an argument' },
  { word: /\bperformance\b/, because: 'time is an argument' },
  { word: /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, because: 'the core cannot wait' },
  { word: /\b(async|await|Promise)\b/, because: 'the core cannot wait' },
  { word: /\bMath\.random\b/, because: 'chance is an argument' },
  { word: /\bcrypto\b/, because: 'chance is an argument, and hashing is our own integer arithmetic' },
  { word: /\bMath\.(pow|exp|expm1|log|log2|log10|log1p|sqrt|cbrt|hypot|sin|cos|tan|tanh)\b/, because: 'last bits differ between engines' },
  { word: /\bparseFloat\b/, because: 'integers only' },
  { word: /\*\*/, because: 'it is Math.pow in other clothes' },
  { word: /\b(process|globalThis|Buffer)\b/, because: 'there is no process in a browser' },
  { word: /\bconsole\b/, because: 'the core says everything in its answer' },
  { word: /\b(fetch|XMLHttpRequest|WebSocket)\b/, because: 'the core asks nobody' },
  { word: /\b(eval|Function)\s*\(/, because: 'edge workers refuse code generation' },
  { word: /\bIntl\b|\btoLocale\w*\b|\blocaleCompare\b/, because: 'locale data differs between machines' },
];

/** Everything that is wrong with one file, as sentences. `path` is relative to `src`, with forward slashes. */
function faultsIn(path: string, source: string): readonly string[] {
  const place = placeOf(path);
  const floor = floors[place];
  if (floor === undefined) return [`${path}: \`${place}\` has no floor yet: give it one in test/floors.test.ts`];
  const faults = importsOf(source).flatMap((name) => (name.startsWith('.') ? faultsOfPath(path, name) : faultsOfPackage(path, name)));
  return place === 'decision' ? [...faults, ...faultsOfWords(path, source)] : faults;
}

function faultsOfPath(path: string, name: string): readonly string[] {
  const target = posix.normalize(posix.join(dirname(path), name));
  if (target.startsWith('..')) return target === '../package.json' ? [] : [`${path}: \`${name}\` leaves src`];
  const [from, to] = [placeOf(path), placeOf(target)];
  const [fromFloor, toFloor] = [floors[from], floors[to]];
  if (from === to) return [];
  if (fromFloor === undefined || toFloor === undefined) return [`${path}: \`${name}\` has no floor`];
  if (toFloor > fromFloor) return [`${path}: \`${name}\` goes up`];
  return toFloor === fromFloor ? [`${path}: \`${name}\` goes sideways`] : [];
}

function faultsOfPackage(path: string, name: string): readonly string[] {
  const place = placeOf(path);
  if (place === 'decision') return [`${path}: \`${name}\`: the core depends on nothing`];
  return onlyImporters
    .filter(({ packages, importers }) => packages.test(name) && !importers.includes(place))
    .map(({ importers, because }) => `${path}: \`${name}\` belongs to ${importers.join(' and ')}: ${because}`);
}

function faultsOfWords(path: string, source: string): readonly string[] {
  const code = withoutCommentsAndStrings(source);
  return ambientWords.filter(({ word }) => word.test(code)).map(({ word, because }) => `${path}: ${code.match(word)?.[0]}: ${because}`);
}

/** `src/http/decide.ts` stands in `http`, `src/app.ts` is its own place. */
function placeOf(path: string): string {
  return path.split('/')[0] ?? path;
}

/** Anchored at line starts, so that an import quoted in a sentence is no import; only `import()` may stand anywhere in a line. */
function importsOf(source: string): readonly string[] {
  const withClause = /^(?:import|export)\s+(?:type\s+)?[\w$*{},\s]+?\sfrom\s+['"]([^'"]+)['"]/gm;
  const bare = /^import\s+['"]([^'"]+)['"]/gm;
  const dynamic = /^(?!\s*(?:\/\/|\*)).*?\b(?:import|require)\(\s*['"]([^'"]+)['"]/gm;
  return [withClause, bare, dynamic].flatMap((pattern) => [...source.matchAll(pattern)].map((match) => match[1] ?? ''));
}

function withoutCommentsAndStrings(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/gm, ' ');
}

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.[cm]?[jt]s$/.test(path))
  .map((path) => ({ path: path.replaceAll('\\', '/'), source: readFileSync(`src/${path}`, 'utf8') }));

describe('the house', () => {
  it('is read at all', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(({ source }) => importsOf(source)).length).toBeGreaterThan(files.length);
  });

  it('has imports that only go down, one importer for each walled-off library, and a core that depends on nothing', () => {
    expect(files.flatMap(({ path, source }) => faultsIn(path, source))).toEqual([]);
  });
});

describe('the guard of the floors', () => {
  const planted: readonly { readonly rule: string; readonly path: string; readonly source: string; readonly fault: string }[] = [
    { rule: 'going up', path: 'records/a.ts', source: `import { x } from '../http/b.ts';`, fault: 'goes up' },
    { rule: 'going up, for a type', path: 'time/a.ts', source: `import type { X } from '../records/b.ts';`, fault: 'goes up' },
    {
      rule: 'going up, over several lines',
      path: 'redis/a.ts',
      source: `import {\n  x,\n  type Y,\n} from '../app.ts';`,
      fault: 'goes up',
    },
    { rule: 'going up, by re-export', path: 'policy/a.ts', source: `export * from '../main.ts';`, fault: 'goes up' },
    { rule: 'going up, without a name', path: 'http/a.ts', source: `import '../main.ts';`, fault: 'goes up' },
    { rule: 'going up, at run time', path: 'http/a.ts', source: `  const cli = await import('../cli/main.ts');`, fault: 'goes up' },
    { rule: 'going sideways', path: 'redis/a.ts', source: `import { x } from '../embedded/b.ts';`, fault: 'goes sideways' },
    { rule: 'going sideways, to a file', path: 'consent/a.ts', source: `import { x } from '../config.ts';`, fault: 'goes sideways' },
    { rule: 'leaving src', path: 'cli/a.ts', source: `import { x } from '../../test/b.ts';`, fault: 'leaves src' },
    { rule: 'a folder without a floor', path: 'attic/a.ts', source: '', fault: 'has no floor yet' },
    { rule: 'a package in the core', path: 'decision/a.ts', source: `import { z } from 'zod';`, fault: 'depends on nothing' },
    {
      rule: 'a Node module in the core',
      path: 'decision/a.ts',
      source: `import { hash } from 'node:crypto';`,
      fault: 'depends on nothing',
    },
    ...[
      'yaml',
      '@marcbachmann/cel-js',
      'ioredis',
      'undici',
      'lmdb',
      'jose',
      'zod',
      'ajv',
      'ajv/dist/2020.js',
      'fastify',
      '@fastify/swagger',
      'commander',
      'cli-progress',
      '@opentelemetry/api',
      '@opentelemetry/sdk-node',
    ].map((name) => ({
      rule: `${name} outside its folder`,
      path: 'records/a.ts',
      source: `import thing from '${name}';`,
      fault: 'belongs to',
    })),
    ...[
      'Date.now()',
      'new Date()',
      'performance.now()',
      'setTimeout(f, 1)',
      'async function wait() {}',
      'Math.random()',
      'crypto.randomUUID()',
      'Math.pow(2, 3)',
      'Math.exp(1)',
      'Math.log(2)',
      'parseFloat(text)',
      '2 ** 3',
      'process.env',
      'console.log(1)',
      'fetch(url)',
      'new Function(text)',
      'eval(text)',
      'a.localeCompare(b)',
    ].map((source) => ({ rule: `${source} in the core`, path: 'decision/a.ts', source, fault: 'decision/a.ts: ' })),
  ];

  it.each(planted)('sees $rule', ({ path, source, fault }) => {
    expect(faultsIn(path, source)).toEqual([expect.stringContaining(fault)]);
  });

  it('does not see imports and words that are only talked about', () => {
    const source = `/* Date and import { x } from '../http/b.ts' */\n// console.log, fetch\nconst sentence = 'Math.random in a string, process';`;
    expect(faultsIn('decision/a.ts', source)).toEqual([]);
  });

  it('lets imports go down and stay within a folder', () => {
    const source = `import { a } from './b.ts';\nimport type { C } from '../decision/c.ts';\nimport { createHash } from 'node:crypto';`;
    expect(faultsIn('policy/a.ts', source)).toEqual([]);
  });
});
