/**
 * How late answers are at half of the greatest load while Redis is frozen, slow, resetting or dead: the service's own account, and
 * what callers saw. Where lateness comes from is watched inside the service: its event loop and its garbage collection.
 */
import { table } from '../report.ts';
import { quantile } from '../statistics.ts';
import type { Person } from './people.ts';
import type { Watched } from './preload.ts';
import type { FaultService } from './processes.ts';
import { healthy } from './proxy.ts';
import type { Asked } from './traffic.ts';
import { startFlood, startTrafficProcess, type World } from './world.ts';

interface Condition {
  readonly name: string;
  start(world: World): Promise<() => Promise<void> | void>;
}

const conditions: readonly Condition[] = [
  { name: 'healthy', start: async () => () => {} },
  {
    name: 'frozen (SIGSTOP)',
    async start({ redis: { signal } }) {
      signal('SIGSTOP');
      return () => signal('SIGCONT');
    },
  },
  {
    name: 'slow (100 ms a reply)',
    async start({ proxy }) {
      await proxy.behave({ toClient: { delay: { kind: 'fixed', ms: 100 } } });
      return () => proxy.behave(healthy);
    },
  },
  {
    name: 'resetting',
    async start({ proxy }) {
      await proxy.behave({ reset: true });
      return () => proxy.behave(healthy);
    },
  },
  {
    name: 'dead (refused)',
    async start({ proxy }) {
      await proxy.behave({ refused: true });
      return () => proxy.behave(healthy);
    },
  },
];

const connections = 32;
const kneeMs = 4_000;
const warmMs = 2_000;
const faultMs = 8_000;
const toleranceMs = 250;
/** The figures that are aimed for. */
export const aims = { p999Ms: 5, maxMs: 25 } as const;

export interface OvershootRow {
  readonly condition: string;
  readonly answers: number;
  readonly lost: number;
  readonly refused: number;
  readonly wrong: number;
  readonly server: Lateness;
  readonly caller: Lateness;
  readonly callersLateMs: number;
  readonly watched: Watched;
}

interface Lateness {
  readonly p999Ms: number;
  readonly maxMs: number;
}

export interface OvershootReport {
  readonly greatestPerSecond: number;
  readonly askedPerSecond: number;
  readonly rows: readonly OvershootRow[];
}

export async function measureOvershoot(world: World, say: (text: string) => void): Promise<OvershootReport> {
  const service = await world.startService();
  try {
    await greatestLoad(service, world.people, warmMs);
    const greatestPerSecond = await greatestLoad(service, world.people, kneeMs);
    const askedPerSecond = Math.round(greatestPerSecond / 2);
    say(`the greatest load is ${greatestPerSecond} a second; asked ${askedPerSecond}`);
    const rows: OvershootRow[] = [];
    for (const condition of conditions) {
      const row = await measure({ world, service, condition, askedPerSecond });
      rows.push(row);
      say(rowOf(row).join(' · '));
    }
    return { greatestPerSecond, askedPerSecond, rows };
  } finally {
    await service.end();
  }
}

/** Answers a second over connections that ask without pause. */
async function greatestLoad({ host, port }: FaultService, people: readonly Person[], forMs: number): Promise<number> {
  const bodies = people.map(({ body }) => JSON.stringify({ ...body, deadlineMs: 60 }));
  const flood = startFlood({ kind: 'closed loop', host, port, connections, bodies });
  const startedAtMs = performance.now();
  await pause(forMs);
  const { answers } = await flood.stop();
  return Math.round((answers['200'] ?? 0) / ((performance.now() - startedAtMs) / 1000));
}

interface Measuring {
  readonly world: World;
  readonly service: FaultService;
  readonly condition: Condition;
  readonly askedPerSecond: number;
}

async function measure({ world, service, condition, askedPerSecond }: Measuring): Promise<OvershootRow> {
  const traffic = await startTrafficProcess({
    targets: [{ host: service.host, port: service.port }],
    people: world.people,
    requestsPerSecond: askedPerSecond,
    seed: 1,
    toleranceMs,
    changesMinds: false,
  });
  await pause(warmMs);
  const undo = await condition.start(world);
  const fromMs = Number(process.hrtime.bigint()) / 1e6;
  service.tell({ watch: 'begin' });
  await pause(faultMs);
  const watched = (await service.ask({ watch: 'end' })) as Watched;
  const untilMs = Number(process.hrtime.bigint()) / 1e6;
  await undo();
  await pause(warmMs);
  const { records, ownLatenessMaxMs } = await traffic.stop();
  const during = records.filter(({ sentAtMs }) => sentAtMs >= fromMs && sentAtMs <= untilMs);
  const answered = during.filter(({ serverMs }) => serverMs !== null);
  return {
    condition: condition.name,
    answers: answered.length,
    lost: during.filter(({ outcome }) => outcome === 'lost').length,
    refused: during.filter(({ outcome }) => outcome === 'shed').length,
    wrong: during.filter(({ wrong }) => wrong !== null).length,
    server: latenessOf(answered, ({ serverMs }) => serverMs ?? 0),
    caller: latenessOf(answered, ({ latencyMs }) => latencyMs),
    callersLateMs: ownLatenessMaxMs,
    watched,
  };
}

function latenessOf(records: readonly Asked[], tookMs: (record: Asked) => number): Lateness {
  const sorted = records.map((record) => Math.max(0, tookMs(record) - record.deadlineMs)).sort((a, b) => a - b);
  return { p999Ms: quantile(sorted, 0.999), maxMs: sorted.at(-1) ?? 0 };
}

const heads = [
  'Redis',
  'answers',
  'lost',
  'refused',
  'wrong tier',
  'service: p99.9 / max ms late',
  'caller: p99.9 / max ms late',
  'callers themselves late',
  'event loop p99.9 / max ms',
  'collections, longest ms',
  'service busy',
];

export function overshootTable({ rows }: OvershootReport): string {
  return table(heads, rows.map(rowOf));
}

function rowOf({ condition, answers, lost, refused, wrong, server, caller, callersLateMs, watched }: OvershootRow): string[] {
  const late = ({ p999Ms, maxMs }: Lateness): string => `${p999Ms.toFixed(1)} / ${maxMs.toFixed(1)}`;
  return [
    condition,
    answers.toLocaleString('en'),
    `${lost}`,
    `${refused}`,
    `${wrong}`,
    late(server),
    late(caller),
    callersLateMs.toFixed(1),
    `${watched.loopP999Ms.toFixed(1)} / ${watched.loopMaxMs.toFixed(1)}`,
    `${watched.collections}, ${watched.collectionMaxMs.toFixed(1)}`,
    `${Math.round(watched.busyShare * 100)} %`,
  ];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
