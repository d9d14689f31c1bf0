/**
 * `npm run faults`: tries every fault of the catalogue on a real service and a real Redis, prints a table, and keeps that of a whole
 * run in `docs/faults.md`. `--only F03,F07` tries some, `--quick` all for shorter, `--pairs 20 --seed 7` pairs of faults at once.
 * `--overshoot` measures how late answers are at half of the greatest load instead.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { busyBeforehand, describeMachine } from '../machine.ts';
import { catalogue, type Fault, faultNamed, isHere } from './catalogue.ts';
import { measureOvershoot, overshootTable } from './overshoot.ts';
import { randomFrom } from './random.ts';
import { faultsPage, findingLine, overshootIn, overshootText, tableOf, withOvershoot } from './report.ts';
import { type Finding, quickTiming, tryFaultsInPeace, usualTiming } from './trial.ts';
import { createWorld } from './world.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    overshoot: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});
const pagePath = new URL('../../docs/faults.md', import.meta.url);
const seed = Number(values.seed);
const timing = { ...(values.quick ? quickTiming : usualTiming), seed };
const say = (text: string): void => void process.stdout.write(`${text}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const trials = values.pairs === undefined ? chosen().map((fault) => [fault]) : pairs(Number(values.pairs));
const machine = describeMachine();
const busyBefore = await busyBeforehand();
say(
  `${machine.processor}, ${machine.processors} CPUs, Node ${process.versions.node}, busy with other work beforehand: ${Math.round(busyBefore * 100)} %`,
);
const startedAtMs = performance.now();
const findings: Finding[] = [];
const world = await createWorld();
if (values.overshoot) {
  await overshoot();
  process.exit();
}
try {
  for (const faults of trials) {
    const finding = await tryFaultsInPeace(world, faults, timing);
    findings.push(finding);
    say(findingLine(faults, finding));
  }
} finally {
  await world.end();
}
const minutes = (performance.now() - startedAtMs) / 60_000;
say(`\n${tableOf(findings)}\n`);
const failed = findings.filter(({ complaints }) => complaints.length > 0);
for (const { ids, complaints } of failed) say(`${ids.join(' + ')}: ${complaints.map(({ text }) => text).join('; ')}`);
say(`${findings.length - failed.length} of ${findings.length} survived, in ${minutes.toFixed(1)} minutes`);
const isWholeRun = values.only === undefined && values.pairs === undefined && !values.quick;
if (isWholeRun || values.keep) {
  const page = faultsPage({ findings, machine, busyBefore, timing, minutes });
  writeFileSync(pagePath, withOvershoot(page, overshootIn(readPage())));
}
process.exitCode = failed.length === 0 ? 0 : 1;
process.exit();

async function overshoot(): Promise<void> {
  const report = await measureOvershoot(world, say).finally(() => world.end());
  say(`\n${overshootTable(report)}`);
  writeFileSync(pagePath, withOvershoot(readPage(), overshootText({ report, machine, busyBefore })));
}

function readPage(): string {
  return existsSync(pagePath) ? readFileSync(pagePath, 'utf8') : '';
}

function chosen(): readonly Fault[] {
  return values.only === undefined ? catalogue.filter(isHere) : values.only.split(',').map(faultNamed);
}

/** One node and the network before it stand aside where Redis is of another shape: what is done to them there is no trial. */
function mayMeet(a: Fault, b: Fault): boolean {
  const isOfOneNode = ({ touches }: Fault): boolean => touches === 'network' || touches === 'redis' || touches === 'data';
  const hasShape = a.setting?.shape !== undefined || b.setting?.shape !== undefined;
  return a.touches !== b.touches && !(hasShape && isOfOneNode(a) && isOfOneNode(b));
}

/** Two that lay hands on different things, drawn by the seed. */
function pairs(count: number): readonly (readonly Fault[])[] {
  const random = randomFrom(seed);
  const here = catalogue.filter(isHere);
  const drawn: Fault[][] = [];
  while (drawn.length < count) {
    const pair = [here[Math.floor(random() * here.length)], here[Math.floor(random() * here.length)]].filter((each) => each !== undefined);
    const [a, b] = pair;
    if (a !== undefined && b !== undefined && mayMeet(a, b) && !pair.some(({ setting }) => setting?.isFirst)) drawn.push([a, b]);
  }
  return drawn;
}
