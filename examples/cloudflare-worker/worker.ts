/**
 * The shop's page on Cloudflare Workers: a shell that everybody shares, out of the cache, and in its boxes what Stepwell decides for this
 * visitor. All is decided and written as HTML before the rewriter is made, because a handler that throws or waits would leave an empty
 * page behind; what did not come in time leaves the shell's approved words as they are.
 */
import { collapse } from '../../src/classes/collapse.ts';
import type { ClassTable } from '../../src/classes/table.ts';
import { askForZones, jsonOf, type Service, zonesIn } from '../shop/ask.ts';
import { renderZone } from '../shop/render.ts';
import { questionOf } from '../shop/visitor.ts';
import type { Zones } from '../shop/zones.ts';

interface Environment {
  readonly STEPWELL_URL: string;
  /** An API key with the scope `decide`, where the service asks for one. */
  readonly STEPWELL_KEY?: string;
  /** Whose page this is: its `/` is the shell. */
  readonly SHOP_URL: string;
  /** The shell as it was when the Worker was deployed. */
  readonly DEPLOYED_SHELL: string;
  readonly BUDGET_MS?: string;
}

interface Background {
  waitUntil(work: Promise<unknown>): void;
}

type Headers = Readonly<Record<string, string>>;

/** From the request to the instant at which everything that is late is left out. */
const budgetMs = 50;
/** For what no visitor waits for: it serves the next. */
const backgroundMs = 2000;
const shellFreshMs = 60_000;
const shellKeptSeconds = 86_400;
const pageHeaders: Headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'private, no-store' };

export default {
  async fetch(request: Request, environment: Environment, background: Background): Promise<Response> {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || new URL(request.url).pathname !== '/')
      return new Response('Not here\n', { status: 404, headers: { 'cache-control': 'no-store' } });
    if (request.method === 'HEAD') return new Response(null, { headers: pageHeaders });
    const visitor = headersOf(request);
    const [shell, boxes] = await Promise.all([shellFrom(environment, background), boxesFor(environment, visitor, background)]);
    return written(shell, boxes);
  },
};

/** The country that Cloudflare saw, whatever the visitor says; a header only where this does not run on Cloudflare. */
function headersOf(request: Request): Headers {
  const headers = Object.fromEntries(request.headers);
  const { country } = (request as { cf?: { country?: string } }).cf ?? {};
  return country === undefined ? headers : { ...headers, 'x-country': country };
}

/** Read to its end before it is sent: a rewriter that fails midway would leave an empty page, and there is the shell instead. */
async function written(shell: string, boxes: ReadonlyMap<string, string>): Promise<Response> {
  const page = await rewritten(shell, boxes).catch(() => shell);
  return new Response(page, { headers: pageHeaders });
}

async function rewritten(shell: string, boxes: ReadonlyMap<string, string>): Promise<string> {
  const rewriter = new HTMLRewriter().on('[data-zone]', {
    element(box) {
      const inside = boxes.get(box.getAttribute('data-zone') ?? '');
      if (inside !== undefined) box.setInnerContent(inside, { html: true });
    },
  });
  return rewriter.transform(new Response(shell)).text();
}

// --- What goes into the boxes --------------------------------------------------------------------------------------------------

async function boxesFor(environment: Environment, visitor: Headers, background: Background): Promise<ReadonlyMap<string, string>> {
  const service = { url: environment.STEPWELL_URL, key: environment.STEPWELL_KEY };
  const leftMs = Number(environment.BUDGET_MS ?? budgetMs);
  const zones = isSomebody(visitor) ? await askForZones(service, visitor, leftMs) : await askByClass(service, visitor, leftMs, background);
  // Half a character would break the rewriter.
  return new Map([...zones].map(([zone, shown]) => [zone, renderZone(zone, shown).toWellFormed()]));
}

/** Of anybody else nothing is known but what a request says by itself, and many people's say the same. */
function isSomebody(visitor: Headers): boolean {
  return /(?:^|; ?)shop_(?:token|visit|consent)=/.test(visitor.cookie ?? '');
}

/**
 * Visitors of whom all zones think alike get one answer, out of the cache: the table of classes says who they are. What is late is still
 * fetched and kept, for whoever comes next.
 */
async function askByClass(service: Service, visitor: Headers, leftMs: number, background: Background): Promise<Zones> {
  const answered = answerOfClass(service, visitor).catch((): Zones => new Map());
  background.waitUntil(answered);
  return Promise.race([answered, nothingAfter(leftMs)]);
}

async function answerOfClass(service: Service, visitor: Headers): Promise<Zones> {
  const { page, context } = questionOf(visitor, 0);
  const table = await kept(service, `/v1/decide/classes?page=${page}`, (answer) => (answer as ClassTable).format === 1);
  const query = collapse(table as ClassTable, context);
  return zonesIn(await kept(service, `/v1/decide?${query}`, (answer) => zonesIn(answer).size > 0));
}

/** For as long as the service says that everybody may share it, and only if it is what it should be. */
async function kept({ url, key }: Service, path: string, isWhole: (answer: unknown) => boolean): Promise<unknown> {
  const address = `${url}${path}`;
  const found = await caches.default.match(address);
  if (found !== undefined) return found.json();
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(address, { headers, redirect: 'manual', signal: AbortSignal.timeout(backgroundMs) });
  if (response.status !== 200) throw new Error(`the service answered ${response.status}`);
  const answer = await jsonOf(response);
  if (!isWhole(answer)) throw new Error('the service answered something else');
  const [, seconds = '0'] = /^public, .*\bs-maxage=(\d+)/.exec(response.headers.get('cache-control') ?? '') ?? [];
  if (seconds !== '0') await keep(address, JSON.stringify(answer), { 'cache-control': `max-age=${seconds}` });
  return answer;
}

// --- The shell -----------------------------------------------------------------------------------------------------------------

/** Never waited for where there is an old one, and never missing: the Worker was deployed with one. */
async function shellFrom(environment: Environment, background: Background): Promise<string> {
  const address = `${environment.SHOP_URL}/`;
  const found = await caches.default.match(address);
  if (found === undefined) {
    background.waitUntil(fetchShell(address));
    return environment.DEPLOYED_SHELL;
  }
  const shell = await found.text();
  if (Date.now() - Number(found.headers.get('kept-at')) > shellFreshMs) {
    // Marked as new at once, so that one visitor's request fetches it and not everybody's.
    background.waitUntil(keepShell(address, shell).then(() => fetchShell(address)));
  }
  return shell;
}

/** Without anything of the visitor's: what comes back is everybody's. What is no shell, or no more than a part of one, is not kept. */
async function fetchShell(address: string): Promise<void> {
  try {
    const response = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(backgroundMs) });
    const shell = await response.text();
    const isWhole = response.status === 200 && shell.includes('data-zone=') && shell.trimEnd().endsWith('</html>');
    if (isWhole) await keepShell(address, shell);
  } catch {
    // The one that is kept serves on.
  }
}

function keepShell(address: string, shell: string): Promise<void> {
  return keep(address, shell, { 'cache-control': `max-age=${shellKeptSeconds}`, 'kept-at': String(Date.now()) });
}

function keep(address: string, text: string, headers: Headers): Promise<void> {
  return caches.default.put(address, new Response(text, { headers }));
}

function nothingAfter(ms: number): Promise<Zones> {
  return new Promise((resolve) => setTimeout(() => resolve(new Map()), ms));
}

// What of Cloudflare's own is used here.
interface Box {
  getAttribute(name: string): string | null;
  setInnerContent(content: string, options: { html: boolean }): void;
}
declare const HTMLRewriter: new () => {
  on(selector: string, handlers: { element(box: Box): void }): { transform(response: Response): Response };
};
declare const caches: {
  readonly default: { match(address: string): Promise<Response | undefined>; put(address: string, response: Response): Promise<void> };
};
