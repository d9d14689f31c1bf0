/**
 * The whole state space: every state of every slice against the table of the gates, and a sample of them made worse, input by input,
 * for tiers that rise. `node test/enumeration/long.ts [--part 0.1] [--only everyDate,whole] [--workers 2]`; a part is a sample, the
 * same in every run. Ends with a tally, and with status 1 where there is an escalation, a disagreement or a rise.
 */
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Disagreement } from './enumerate.ts';
import type { Outcome, Share } from './long-worker.ts';
import { slices } from './slices.ts';

const { values } = parseArgs({
  options: {
    part: { type: 'string', default: '1' },
    only: { type: 'string', default: Object.keys(slices).join() },
    workers: { type: 'string', default: '2' },
  },
});
const part = Number(values.part);
const workers = Number(values.workers);
const only = values.only.split(',');
if (only.some((name) => !Object.hasOwn(slices, name))) {
  console.error(`write --only as some of ${Object.keys(slices).join()}`);
  process.exit(2);
}
if (!(part > 0 && part <= 1) || !Number.isInteger(workers) || workers < 1) {
  console.error('write --part as a number above 0 and at most 1, and --workers as a whole number from 1');
  process.exit(2);
}

/** Of each share, about as many zones: a second's work. */
const zonesOfShare = 500_000;
/** States that are made worse in every way, of each slice at the part 1. */
const worsened = 20_000;

type Name = keyof typeof slices;
const names = only as Name[];
const counts = Object.fromEntries(
  names.map((name) => [name, { states: 0, decisions: 0, zones: 0, escalations: 0, disagreements: 0, compared: 0, rises: 0 }]),
) as Record<Name, Count>;
interface Count {
  states: number;
  decisions: number;
  zones: number;
  escalations: number;
  disagreements: number;
  compared: number;
  rises: number;
}

const shares = names.flatMap(sharesOf);
const sharesOfAll = shares.length;
const ways = new Map<string, Disagreement>();
const startedMs = performance.now();
let done = 0;
// Whoever has no more time gets a tally of what was done.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void shares.splice(0));
await Promise.all(Array.from({ length: workers }, work));
report();

function sharesOf(name: Name): readonly Share[] {
  const { size, zones, settings } = slices[name];
  const all: Share[] = [];
  const cut = (what: Share['what'], states: number, statesOfShare: number) => {
    const isSample = states < size;
    for (let from = 0; from < states; from += statesOfShare) {
      all.push({ slice: name, what, range: { from, until: Math.min(states, from + statesOfShare), isSample } });
    }
  };
  const zonesOfState = zones.length * settings.length;
  cut('table', Math.ceil(size * part), Math.ceil(zonesOfShare / zonesOfState));
  // Some forty ways to be worse.
  cut('monotone', Math.ceil(Math.min(size, (worsened * 20) / zonesOfState) * part), Math.ceil(zonesOfShare / zonesOfState / 40));
  return all;
}

function work(): Promise<void> {
  const worker = new Worker(new URL('./long-worker.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    const next = () => {
      const share = shares.shift();
      if (share !== undefined) return worker.postMessage(share);
      void worker.terminate().then(() => resolve());
    };
    worker.on('error', reject);
    worker.on('message', (outcome: Outcome) => {
      add(outcome);
      next();
    });
    next();
  });
}

function add({ share, tally, rises }: Outcome): void {
  const count = counts[share.slice];
  count.states += tally.states;
  count.decisions += tally.decisions;
  count.zones += tally.zones;
  count.escalations += tally.escalations;
  count.disagreements += tally.disagreements;
  count.compared += rises.compared;
  count.rises += rises.found.length;
  for (const [way, one] of tally.ways) {
    const known = ways.get(way);
    if (known === undefined) ways.set(way, one);
    else known.times += one.times;
  }
  for (const { how, zone, state } of rises.found.slice(0, 1)) console.error(`\nrises: ${how}, ${zone.id}: ${JSON.stringify(state)}`);
  done += 1;
  progress();
}

function progress(): void {
  const line = `${done} of ${sharesOfAll} shares, ${Math.round((performance.now() - startedMs) / 1000)} s`;
  if (process.stderr.isTTY) process.stderr.write(`\r${line}   `);
  else if (done % 100 === 0) console.error(line);
}

function report(): void {
  console.log();
  console.table(counts);
  for (const [way, { times, state, zone, settings }] of ways) {
    console.log(`${times} times: ${way}\n  ${JSON.stringify({ state, zone, settings })}`);
  }
  const sum = (what: keyof Count) => names.reduce((total, name) => total + counts[name][what], 0);
  const said = (what: keyof Count) => sum(what).toLocaleString('en');
  const states = `${said('states')} states, ${said('decisions')} decisions, ${said('zones')} zones decided`;
  if (done < sharesOfAll) console.log(`stopped after ${done} of ${sharesOfAll} shares`);
  console.log(`${states}: ${said('escalations')} escalations, ${said('disagreements')} disagreements with the table.`);
  console.log(`${said('compared')} zones decided again with one input worse: ${said('rises')} tiers rose.`);
  if (sum('escalations') + sum('disagreements') + sum('rises') > 0) process.exitCode = 1;
}
