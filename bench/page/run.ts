/**
 * A stopwatch on the page: for each of the example renderers, with the service well and in four kinds of trouble, when the first byte comes,
 * when something is painted, and when all boxes above the fold hold their final words, as Chromium says it of itself; and how long the
 * client's two calls take in the page. All take turns in every round. Stops by itself, after seven rounds or four minutes; three rounds are
 * enough to be kept, in `docs/edge-renderers.md`.
 *
 *     npm run page -- --rounds 1
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { openMisbehavingService } from '../../test/examples/support/misbehaving-service.ts';
import { desktop } from '../../test/examples/support/recorded-pages.ts';
import type { Renderer } from '../../test/examples/support/renderer-claims.ts';
import { openShopService } from '../../test/examples/support/shop-service.ts';
import { cookiesOf } from '../../test/examples/support/static-page.ts';
import { openBrowser } from '../../test/support/browser.ts';
import { findProgram, missingSentence, programs } from '../../test/support/programs.ts';
import { freePort } from '../../test/support/redis-server.ts';
import { busyBeforehand, describeMachine } from '../machine.ts';
import { table } from '../report.ts';
import { spreadOf } from '../statistics.ts';
import { servers, startTimedSite } from './renderers.ts';

const whole = { rounds: 7, minutes: 4 } as const;
const keptRoundsMin = 3;
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: `${whole.rounds}` }, minutes: { type: 'string', default: `${whole.minutes}` } },
});
const rounds = Number(values.rounds);
const startedAtMs = performance.now();
const endAtMs = startedAtMs + Number(values.minutes) * 60_000;
const pagePath = fileURLToPath(new URL('../../docs/edge-renderers.md', import.meta.url));
const viewMaxMs = 10_000;
const againTimes = 200;
/** Above this somebody else is working here, and the figures are theirs as well. */
const quietMachineBusyMax = 0.05;

const conditions = ['well', 'slow', 'dead', 'dribbling', 'resetting'] as const;
type Condition = (typeof conditions)[number];
const first = 'static page, first view';
const later = 'static page, later view';

interface View {
  readonly name: string;
  readonly condition: Condition;
  readonly firstByteMs: number;
  readonly paintMs: number;
  readonly finalMs: number;
  readonly blank: number;
  readonly hero: string | null;
  readonly durationsMs: readonly (readonly [string, number])[];
  /** Microseconds of a call of `now` once the page stands; null: no client in it. */
  readonly againMicros: number | null;
}

const missing = [programs.chromium, programs.nginx, programs.varnish].filter((program) => findProgram(program) === null);
for (const program of missing) process.stderr.write(`  ${missingSentence(program)}\n`);
if (missing.length > 0) process.exit(2);

const interruptedCode = 130;
let isInterrupted = false;
// What was started is ended first; whoever says it twice does not want to wait.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (isInterrupted) process.exit(interruptedCode);
    isInterrupted = true;
  });
const isOver = (): boolean => isInterrupted || performance.now() > endAtMs;

const busyBefore = await busyBeforehand();
const ends: (() => Promise<unknown>)[] = [];
const views: View[] = [];
let roundsDone = 0;
try {
  await measure();
} finally {
  for (const end of ends.reverse()) await end();
}
if (isInterrupted) process.exit(interruptedCode);
const text = report();
process.stdout.write(`${text}\n`);
if (roundsDone >= keptRoundsMin) keep();
else process.stdout.write(`fewer than ${keptRoundsMin} rounds are not kept\n`);
const blank = views.filter((view) => view.blank > 0 || view.hero === null);
for (const { name, condition } of blank) process.stdout.write(`NOT ${name}, ${condition}: a box in view is blank\n`);
// All that was started has ended; what a request that hung has left behind is not waited for.
process.exit(blank.length > 0 || roundsDone === 0 ? 1 : 0);

async function measure(): Promise<void> {
  const sitePort = await freePort();
  const keys = artefactKeysOf(newArtefactKey());
  const service = await openShopService({ corsOrigins: [`http://127.0.0.1:${sitePort}`], artefactKeys: () => keys });
  ends.push(() => service.stop());
  const between = await openMisbehavingService(service.url);
  ends.push(() => between.stop());
  const started = new Map<string, Renderer>();
  for (const [name, start] of Object.entries(servers)) {
    process.stderr.write(`  starting ${name}\n`);
    const renderer = await start(between.url);
    ends.push(() => renderer.stop());
    started.set(name, renderer);
  }
  const site = await startTimedSite(sitePort, between.url);
  ends.push(() => site.stop());
  const browser = await openBrowser();
  ends.push(() => browser.close());
  const { headers } = service.visitors.user;

  /** The cookies of a gold member who is signed in and agreed. The static page hears of the consent by its button. */
  const openPerson = async (url: string, isStatic: boolean): Promise<BrowserContext> => {
    const context = await browser.newContext({ viewport: desktop });
    const cookies = isStatic ? cookiesOf(headers) : pairsOf(headers.cookie ?? '');
    await context.addCookies(Object.entries(cookies).map(([name, value]) => ({ url, name, value })));
    await context.addInitScript({ path: fileURLToPath(new URL('./stopwatch.js', import.meta.url)) });
    return context;
  };
  const once = async (name: string, condition: Condition, url: string): Promise<void> => {
    const context = await openPerson(url, name === first);
    try {
      const page = await context.newPage();
      await page.goto(url, { waitUntil: 'load', timeout: viewMaxMs });
      views.push(await viewOf(page, name, condition, name === first));
    } finally {
      await context.close();
    }
  };

  while (roundsDone < rounds) {
    const wholeViews = views.length;
    await between.behave('well');
    // New connections to the service are made, so that a view with the service well is one.
    for (const { url } of started.values()) for (const _ of [1, 2]) await (await fetch(url, { headers })).text();
    const context = await openPerson(site.url, true);
    const page = await context.newPage();
    await page.goto(site.url, { waitUntil: 'load', timeout: viewMaxMs });
    await page.locator('[data-consent="granted"]').click();
    for (const _ of [1, 2]) {
      await page.reload({ waitUntil: 'load', timeout: viewMaxMs });
      await page.evaluate(`Promise.all([stepwell.ready, stepwell.decide('home', { budgetMs: 1000 })]).then(() => true)`);
    }
    for (const condition of conditions) {
      await between.behave(condition);
      const inTurn = [...started, [first, site] as const];
      const from = roundsDone % inTurn.length;
      for (const [name, { url }] of [...inTurn.slice(from), ...inTurn.slice(0, from)]) {
        if (isOver()) {
          // A round that was begun says nothing of what had no turn in it.
          views.length = wholeViews;
          return;
        }
        await once(name, condition, url);
      }
      await page.reload({ waitUntil: 'load', timeout: viewMaxMs });
      views.push(await viewOf(page, later, condition, true));
    }
    await context.close();
    roundsDone += 1;
    process.stderr.write(`  round ${roundsDone} of ${rounds}\n`);
  }
}

async function viewOf(page: Page, name: string, condition: Condition, hasClient: boolean): Promise<View> {
  await page.evaluate('stopwatch.painted()');
  if (hasClient) await page.waitForFunction("performance.getEntriesByName('decide').length > 0", null, { timeout: viewMaxMs });
  const read = (await page.evaluate('stopwatch.read()')) as Omit<View, 'name' | 'condition' | 'againMicros'>;
  const again = `(() => { const start = performance.now(); for (let i = 0; i < ${againTimes}; i += 1) stepwell.now('home');
    return (1000 * (performance.now() - start)) / ${againTimes}; })()`;
  return { name, condition, ...read, againMicros: hasClient ? ((await page.evaluate(again)) as number) : null };
}

function pairsOf(cookie: string): Readonly<Record<string, string>> {
  return Object.fromEntries(cookie.split('; ').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

function report(): string {
  const { processor, processors, memoryGib } = describeMachine();
  const busy = `${Math.round(busyBefore * 100)} % busy with other things beforehand`;
  const beside = busyBefore > quietMachineBusyMax ? `**measured beside other work**, ${busy}` : busy;
  const cells = [...Object.keys(servers), first, later].flatMap((name) => conditions.map((condition) => [name, condition] as const));
  return [
    `\`npm run page\`: ${views.length} views, ${roundsDone} of each, taking turns, in ${Math.ceil((performance.now() - startedAtMs) / 1000)} s; median (least – most). ${processor}, ${processors} CPUs, ${memoryGib} GiB, Node ${process.versions.node}; ${beside}.`,
    '',
    table(
      ['renderer', 'service', 'first byte, ms', 'first contentful paint, ms', 'final words above the fold, ms', 'gold member’s hero'],
      cells.map(([name, condition]) => {
        const seen = viewsOf(name, condition);
        const own = seen.filter(({ hero }) => hero === 'hero-gold').length;
        const middle = [seen.map((one) => one.firstByteMs), seen.map((one) => one.paintMs), seen.map((one) => one.finalMs)].map(spread);
        return [name, condition, ...middle, `${own} of ${seen.length}`];
      }),
    ),
    '',
    'The client in the static page:',
    '',
    table(
      ['view', 'service', '`now`, first call, ms', '`now`, later calls, ms', '`decide` with 200 ms, ms'],
      cells
        .filter(([name]) => name === first || name === later)
        .map(([name, condition]) => {
          const seen = viewsOf(name, condition);
          const firstOf = (kind: string) =>
            seen.map(({ durationsMs }) => durationsMs.find(([measured]) => measured === kind)?.[1] ?? Number.NaN);
          const again = seen.map(({ againMicros }) => (againMicros ?? Number.NaN) / 1000);
          return [name, condition, spread(firstOf('now')), spread(again), spread(firstOf('decide'))];
        }),
    ),
  ].join('\n');
}

function viewsOf(name: string, condition: Condition): readonly View[] {
  return views.filter((view) => view.name === name && view.condition === condition);
}

function spread(valuesMs: readonly number[]): string {
  const { min, median, max } = spreadOf(valuesMs);
  return `${rounded(median)} (${rounded(min)} – ${rounded(max)})`;
}

function rounded(ms: number): string {
  return ms < 10 ? ms.toFixed(2) : ms.toFixed(0);
}

function keep(): void {
  const mark = { begin: '<!-- page -->', end: '<!-- end of page -->' } as const;
  const page = readFileSync(pagePath, 'utf8');
  const [before = '', rest = ''] = page.split(mark.begin);
  const after = rest.split(mark.end)[1] ?? '';
  writeFileSync(pagePath, `${before}${mark.begin}\n\n${text}\n\n${mark.end}${after}`);
}
