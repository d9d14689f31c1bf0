/**
 * The engines: each is given the bundled core once, and then sheet after sheet, each as text. They are real: the Worker runtime of
 * Cloudflare, Vercel's, Deno, another Node, and QuickJS, which shares nothing with V8.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { needPackage } from '../support/packages.ts';

export interface Engine {
  readonly version: string;
  /** What `answer` of the core says to a sheet. */
  answer(sheet: string): Promise<string>;
  close(): Promise<void>;
}

export type EngineName = keyof typeof engines;

export const engines = {
  'this Node': startThisNode,
  'Node 24': startNode24,
  workerd: startWorkerd,
  'edge-runtime': startEdgeRuntime,
  Deno: startDeno,
  QuickJS: startQuickJs,
} as const satisfies Record<string, (core: string) => Promise<Engine>>;

export const engineNames = Object.keys(engines) as readonly EngineName[];

const here = createRequire(new URL('./package.json', import.meta.url));

/** By its path, and without its types: the suites compile where these packages are not installed. */
async function load<T>(name: string): Promise<T> {
  needPackage('test/runtimes');
  return import(pathToFileURL(here.resolve(name)).href);
}

/** Reads sheets from standard input, one a line, and answers each with a line. Split by hand: Node's own reader of lines also ends them at U+2028. */
const nodeDriver = `
  console.log(process.version);
  let rest = '';
  process.stdin.setEncoding('utf8').on('data', (piece) => {
    const lines = (rest + piece).split('\\n');
    rest = lines.pop();
    for (const line of lines) console.log(stepwell.answer(line));
  });`;

function startThisNode(core: string): Promise<Engine> {
  return startProcess(process.execPath, ['--no-warnings'], `${core}\n${nodeDriver}`, 'cjs');
}

async function startNode24(core: string): Promise<Engine> {
  needPackage('test/runtimes');
  return startProcess(join(dirname(here.resolve('node/package.json')), 'bin/node'), ['--no-warnings'], `${core}\n${nodeDriver}`, 'cjs');
}

const denoDriver = `
  console.log(Deno.version.deno);
  let rest = '';
  for await (const piece of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split('\\n');
    rest = lines.pop();
    for (const line of lines) console.log(stepwell.answer(line));
  }`;

/** May read nothing, write nothing and reach nobody. */
async function startDeno(core: string): Promise<Engine> {
  needPackage('test/runtimes');
  const program = join(dirname(here.resolve('deno/package.json')), 'bin.cjs');
  return startProcess(process.execPath, [program, 'run', '--no-remote', '--no-config', '--quiet'], `${core}\n${denoDriver}`, 'js');
}

async function startProcess(program: string, parameters: readonly string[], script: string, extension: string): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'stepwell-engine-'));
  const path = join(folder, `core.${extension}`);
  writeFileSync(path, script);
  const child = spawn(program, [...parameters, path], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, NO_COLOR: '1' } });
  const nextLine = linesOf(child);
  return {
    version: await nextLine(),
    answer(sheet) {
      child.stdin?.write(`${sheet}\n`);
      return nextLine();
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Rejects for whoever waits when the process ends. */
function linesOf(child: ChildProcess): () => Promise<string> {
  if (child.stdout === null) throw new Error('a process without output');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the engine ended');
    return value;
  };
}

interface Miniflare {
  readonly ready: Promise<unknown>;
  dispatchFetch(url: string, init: { method: string; body: string }): Promise<Response>;
  dispose(): Promise<void>;
}

const workerDriver = `
  export default {
    async fetch(request) {
      return new Response(stepwell.answer(await request.text()));
    },
  };`;

async function startWorkerd(core: string): Promise<Engine> {
  const { Miniflare } = await load<{ Miniflare: new (options: object) => Miniflare }>('miniflare');
  const worker = new Miniflare({ modules: true, script: `${core}\n${workerDriver}`, compatibilityDate: '2026-04-01', cf: false });
  await worker.ready;
  return {
    version: here('workerd/package.json').version,
    answer: async (sheet) => textOf(await worker.dispatchFetch('http://engine.example/', { method: 'POST', body: sheet })),
    close: () => worker.dispose(),
  };
}

interface EdgeRuntime {
  dispatchFetch(url: string, init: { method: string; body: string }): Promise<Response>;
}

/** Given as names of its own, because this runtime looks up every global of the language through a proxy, for each use. */
const globals = ['Array', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Set', 'String', 'WeakMap'].join();
const edgeDriver = `
  addEventListener('fetch', (event) =>
    event.respondWith(event.request.text().then((sheet) => new Response(stepwell.answer(sheet)))));`;

async function startEdgeRuntime(core: string): Promise<Engine> {
  const { EdgeRuntime } = await load<{ EdgeRuntime: new (options: object) => EdgeRuntime }>('edge-runtime');
  const runtime = new EdgeRuntime({
    initialCode: `const stepwell = ((${globals}) => { ${core}\nreturn stepwell; })(${globals});\n${edgeDriver}`,
  });
  return {
    version: here('edge-runtime/package.json').version,
    answer: async (sheet) => textOf(await runtime.dispatchFetch('http://engine.example/', { method: 'POST', body: sheet })),
    close: async () => {},
  };
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new Error(`status ${response.status}: ${text.slice(0, 500)}`);
  return text;
}

interface QuickJsValue {
  dispose(): void;
}

interface QuickJsContext {
  evalCode(code: string): QuickJsResult;
  unwrapResult(result: QuickJsResult): QuickJsValue;
  newString(text: string): QuickJsValue;
  getString(value: QuickJsValue): string;
  callFunction(called: QuickJsValue, self: QuickJsValue, ...given: readonly QuickJsValue[]): QuickJsResult;
  readonly undefined: QuickJsValue;
  dispose(): void;
}
type QuickJsResult = object;

async function startQuickJs(core: string): Promise<Engine> {
  const { getQuickJS } = await load<{ getQuickJS: () => Promise<{ newContext(): QuickJsContext }> }>('quickjs-emscripten');
  const context = (await getQuickJS()).newContext();
  context.unwrapResult(context.evalCode(core)).dispose();
  const called = context.unwrapResult(context.evalCode('stepwell.answer'));
  return {
    version: here('quickjs-emscripten/package.json').version,
    async answer(sheet) {
      const given = context.newString(sheet);
      const answered = context.unwrapResult(context.callFunction(called, context.undefined, given));
      const text = context.getString(answered);
      given.dispose();
      answered.dispose();
      return text;
    },
    async close() {
      called.dispose();
      context.dispose();
    },
  };
}
