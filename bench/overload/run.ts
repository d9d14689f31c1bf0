/**
 * `npm run overload`: what is still answered in time when more is asked than can be answered. Finds the most that is answered in time
 * (the knee), asks twice that for a minute and ten times that for ten seconds, and looks how soon all is well again. Some three
 * minutes; `--quick` takes twenty seconds, to see that it runs. Only a whole run is kept, in `docs/overload.md`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { busyBeforehand } from '../machine.ts';
import { loadCpu, startPinned } from '../pinned-process.ts';
import { startPrivateRedis } from '../private-redis.ts';
import { type Server, startStepwell } from '../server.ts';
import { findVisitors, load, prepare } from '../visitors.ts';
import type { OpenLoopOrder, OpenLoopReport } from './open-loop-process.ts';
import { inTimeOf, type Phase, pageOf, rowOf, usualShareOf } from './report.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const quick = values.quick;
const deadlineMs = 60;
const connections = 3_000;
const stepSeconds = quick ? 2 : 4;
const rates = quick ? [4_000, 8_000] : [4_000, 6_000, 8_000, 9_000, 10_000, 11_000, 12_000, 13_000, 14_000, 16_000];
/** Of the questions of a usual second: the first rate with less than this in time is beyond the knee. */
const kneeShare = 0.98;
const mark = { begin: '<!-- overload -->', end: '<!-- end of overload -->' } as const;
const pagePath = fileURLToPath(new URL('../../docs/overload.md', import.meta.url));

const say = (text: string): void => void process.stderr.write(`  ${text}\n`);
const directory = mkdtempSync(join(tmpdir(), 'stepwell-overload-'));
const busyBefore = await busyBeforehand();
const redis = await startPrivateRedis(directory);
if (redis === null) throw new Error('redis-server is missing: install it (on Debian: apt-get install redis-server)');
try {
  const prepared = await prepare(directory);
  const dataDirectory = join(directory, 'data');
  mkdirSync(dataDirectory);
  const env = { ...prepared.env, STEPWELL_DATA_DIR: dataDirectory, STEPWELL_REDIS_URL: redis.url };
  load(prepared.recordsPath, env);
  const server = await startStepwell({ directory, env });
  const text = await findVisitors(server, prepared)
    .then(({ bodies }) => measure(server, bodies))
    .finally(() => server.end());
  process.stdout.write(`${text}\n`);
  if (quick) process.stdout.write('only a whole run is kept\n');
  else keep(text);
} finally {
  await redis.end();
  rmSync(directory, { recursive: true, force: true });
}

async function measure(server: Server, bodies: readonly string[]): Promise<string> {
  const { hostname: host, port } = new URL(server.url);
  const ask = (name: string, perSecond: number, seconds: number) =>
    phaseOf(server, name, { host, port: Number(port), perSecond, seconds, connections, deadlineMs, bodies });
  await ask('warm-up', 4_000, stepSeconds);
  const steps: Phase[] = [];
  for (const perSecond of rates) {
    const step = await ask('step', perSecond, stepSeconds);
    steps.push(step);
    if (inTimeOf(step) < 0.8 * perSecond) break;
  }
  const peak = Math.round(Math.max(...steps.map(inTimeOf)));
  const beyond = steps.findIndex((step) => usualShareOf(step) < kneeShare);
  const knee = steps.at(beyond < 0 ? -1 : Math.max(0, beyond - 1))?.perSecond ?? 0;
  const half = Math.round(knee / 2);
  const before = await ask('half the knee, before', half, quick ? stepSeconds : 10);
  const phases = [
    ...steps.map((step) => ({ ...step, name: `${step.perSecond.toLocaleString('en')} a second` })),
    before,
    await ask('twice the knee', 2 * knee, quick ? 3 : 60),
    await ask('half the knee, after that', half, quick ? 3 : 10),
    await ask('ten times the knee', 10 * knee, quick ? 2 : 10),
    await ask('half the knee, after that', half, quick ? 3 : 10),
  ];
  return pageOf({ phases, peak, knee, before, busyBefore, connections, deadlineMs });
}

async function phaseOf(server: Server, name: string, order: OpenLoopOrder): Promise<Phase> {
  const { child, end } = startPinned({
    cpu: loadCpu,
    command: [process.execPath, fileURLToPath(new URL('open-loop-process.ts', import.meta.url))],
    channel: true,
  });
  const cpuBefore = await server.cpuMicros();
  const beganAtMs = performance.now();
  const report = await new Promise<OpenLoopReport>((resolve, reject) => {
    child.once('message', (message: OpenLoopReport) => resolve(message));
    child.once('exit', (code) => reject(new Error(`the callers ended with ${code}`)));
    child.send(order);
  }).finally(end);
  const serverBusy = ((await server.cpuMicros()) - cpuBefore) / 1000 / (performance.now() - beganAtMs);
  const phase = { name, perSecond: order.perSecond, report, serverBusy };
  say(rowOf(phase).join(' · '));
  return phase;
}

function keep(text: string): void {
  const page = readFileSync(pagePath, 'utf8');
  const [before = '', rest = ''] = page.split(mark.begin);
  const after = rest.split(mark.end)[1] ?? '';
  writeFileSync(pagePath, `${before}${mark.begin}\n\n${text}\n\n${mark.end}${after}`);
}
