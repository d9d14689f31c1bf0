/**
 * What the near cache pays: reads of one decision's records from a private Redis by a Zipf-shaped population, with the cache off, asking
 * for versions, and trusting for a second. A process of its own, given the address of an empty Redis; prints JSON for `run.ts`.
 *
 * Reads leave at a fixed rate, because what can be trusted depends on how often the same visitor comes back within the second. The
 * modes take turns within a round. Nobody writes meanwhile.
 */
import { Redis } from 'ioredis';
import type { Profile } from '../src/decision/facts.ts';
import type { Permission, ReadPlan, StoreWrite } from '../src/records/store.ts';
import { NearCache, type NearCacheFigures } from '../src/redis/near-cache.ts';
import { openRedisStore, type RedisStore } from '../src/redis/redis-store.ts';
import { daySeconds } from '../src/time/units.ts';
import { type Random, randomFrom } from './faults/random.ts';
import { type Spread, spreadOf } from './statistics.ts';

export const nearCacheModes = ['off', 'versions', 'trust'] as const;
export type NearCacheMode = (typeof nearCacheModes)[number];

export interface NearCacheReport {
  readonly visitors: number;
  readonly readsPerSecond: number;
  readonly rounds: number;
  readonly bytesMax: number;
  readonly trustMs: number;
  readonly runs: readonly NearCacheRun[];
}

export interface NearCacheRun {
  readonly profileBytes: number;
  readonly mode: NearCacheMode;
  /** Of the profiles read, how many were held and used. */
  readonly heldShare: Spread;
  /** Of the reads, how many asked nobody. */
  readonly trustedShare: Spread;
  readonly clientMicrosPerRead: Spread;
  readonly redisMicrosPerRead: Spread;
  readonly bytesPerRead: Spread;
}

const [url = '', quick] = process.argv.slice(2);
const isQuick = quick === '--quick';
const visitors = isQuick ? 5_000 : 100_000;
const rounds = isQuick ? 1 : 5;
const secondsOfRun = isQuick ? 1 : 3;
const warmingReads = isQuick ? 5_000 : 60_000;
const readsPerSecond = 5_000;
const trustMs = 1_000;
const bytesMax = 64 * 2 ** 20;
const patienceMs = 20_000;
/** While the caches are filled. */
const atOnce = 64;
/** After a pause of this process not all that is due leaves at once: the store would refuse it. */
const underWayMax = 128;

interface Arm {
  readonly mode: NearCacheMode;
  readonly store: RedisStore;
  readonly nearCache: NearCache;
  readonly freshnessMaxMs: number;
}

interface Measured {
  readonly heldShare: number;
  readonly trustedShare: number;
  readonly clientMicrosPerRead: number;
  readonly redisMicrosPerRead: number;
  readonly bytesPerRead: number;
}

const onStoredGrant: Permission = {
  alternatives: [
    [
      { useCase: 'content_personalization', granted: false, supersedesBeforeMs: null },
      { useCase: 'profile_activation_content', granted: false, supersedesBeforeMs: null },
    ],
  ],
  grantsCountFromMs: 0,
  grantsCountUntilMs: Number.MAX_SAFE_INTEGER,
};

function planOf(visitor: number, freshnessMaxMs: number): ReadPlan {
  return {
    subject: `visitor-${visitor}`,
    tokenId: `issuer\ntoken-${visitor}`,
    tokenGeneration: 0,
    deviceId: null,
    resolvedLink: null,
    sessionId: null,
    consent: true,
    profile: onStoredGrant,
    session: null,
    freshnessMaxMs,
  };
}

/** Of about so many bytes: what somebody looked at, and a little besides. */
function profileOf(visitor: number, bytes: number): Profile {
  const viewed = Array.from({ length: Math.round((bytes - 160) / 13) }, (_, index) => `sku-${100_000 + ((visitor + index * 7) % 900_000)}`);
  return { attributes: { loyalty: 'gold', orders: visitor % 40, vip: visitor % 2 === 0, viewed }, audiences: ['lapsed', 'newsletter'] };
}

async function fill(store: RedisStore, profileBytes: number): Promise<void> {
  const useCases = { content_personalization: 'granted', profile_activation_content: 'granted' } as const;
  for (let from = 0; from < visitors; from += 1_000) {
    const writes: StoreWrite[] = [];
    for (let visitor = from; visitor < Math.min(visitors, from + 1_000); visitor += 1) {
      const subject = `visitor-${visitor}`;
      writes.push({ kind: 'profile', subject, profile: profileOf(visitor, profileBytes), ttlSeconds: daySeconds });
      writes.push({ kind: 'consent', subject, consent: { useCases, recordedAtMs: 1 }, ttlSeconds: daySeconds });
    }
    await store.writeBatch(writes);
  }
}

/** Draws visitors: the second comes half as often as the first, the third a third as often. */
function zipf(random: Random): () => number {
  const sums = new Float64Array(visitors);
  let sum = 0;
  for (let rank = 0; rank < visitors; rank += 1) {
    sum += 1 / (rank + 1);
    sums[rank] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let [from, to] = [0, visitors - 1];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((sums[middle] ?? 0) < wanted) from = middle + 1;
      else to = middle;
    }
    return from;
  };
}

async function warm({ store, freshnessMaxMs }: Arm, draw: () => number): Promise<void> {
  for (let made = 0; made < warmingReads; made += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => store.read(planOf(draw(), freshnessMaxMs))));
  }
}

/** Spread over the time evenly; resolves when the last one is answered, to how many were made. */
function readSteadily({ store, freshnessMaxMs }: Arm, draw: () => number): Promise<number> {
  const startedAtMs = performance.now();
  const total = secondsOfRun * readsPerSecond;
  let sent = 0;
  let answered = 0;
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - startedAtMs) * readsPerSecond) / 1000));
      for (; sent < due && sent - answered < underWayMax; sent += 1) {
        store.read(planOf(draw(), freshnessMaxMs)).then(({ profile }) => {
          if (profile.state !== 'known') reject(new Error(`a profile was ${profile.state}`));
          answered += 1;
          if (answered === total) resolve(total);
        }, reject);
      }
      if (sent === total) clearInterval(timer);
    }, 1);
  });
}

interface ServerFigures {
  readonly cpuMicros: number;
  readonly bytes: number;
}

async function serverFigures(observer: Redis): Promise<ServerFigures> {
  const text = `${await observer.info('cpu')}\n${await observer.info('stats')}`;
  const of = (name: string): number => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(text)?.[1]);
  return {
    cpuMicros: (of('used_cpu_user') + of('used_cpu_sys')) * 1e6,
    bytes: of('total_net_input_bytes') + of('total_net_output_bytes'),
  };
}

function copyOf({ reads }: NearCacheFigures): NearCacheFigures['reads'] {
  return structuredClone(reads);
}

async function measure(arm: Arm, observer: Redis, draw: () => number): Promise<Measured> {
  const [readsBefore, serverBefore, cpuBefore] = [copyOf(arm.nearCache.figures()), await serverFigures(observer), process.cpuUsage()];
  const made = await readSteadily(arm, draw);
  const { user, system } = process.cpuUsage(cpuBefore);
  const [reads, server] = [arm.nearCache.figures().reads, await serverFigures(observer)];
  const held = reads.profile.trusted - readsBefore.profile.trusted + reads.profile.validated - readsBefore.profile.validated;
  return {
    heldShare: held / made,
    trustedShare: (reads.all.trusted - readsBefore.all.trusted) / made,
    clientMicrosPerRead: (user + system) / made,
    redisMicrosPerRead: (server.cpuMicros - serverBefore.cpuMicros) / made,
    bytesPerRead: (server.bytes - serverBefore.bytes) / made,
  };
}

async function openArm(mode: NearCacheMode): Promise<Arm> {
  const nearCache = new NearCache({ bytesMax: mode === 'off' ? 0 : bytesMax });
  const store = openRedisStore({ url, nearCache, commandTimeoutMs: patienceMs, silenceMaxMs: patienceMs });
  if (!(await store.connected(patienceMs))) throw new Error('no connection to the private Redis');
  return { mode, store, nearCache, freshnessMaxMs: mode === 'trust' ? trustMs : 0 };
}

async function runsWith(profileBytes: number, observer: Redis): Promise<readonly NearCacheRun[]> {
  await observer.flushall();
  const arms = await Promise.all(nearCacheModes.map(openArm));
  const measured = arms.map((): Measured[] => []);
  const [first] = arms;
  if (first !== undefined) await fill(first.store, profileBytes);
  for (const arm of arms) await warm(arm, zipf(randomFrom(1)));
  for (let round = 0; round < rounds; round += 1) {
    // Each mode meets the same visitors, and another mode is the first in each round.
    for (let turn = 0; turn < arms.length; turn += 1) {
      const index = (round + turn) % arms.length;
      const arm = arms[index];
      if (arm !== undefined) measured[index]?.push(await measure(arm, observer, zipf(randomFrom(2 + round))));
    }
  }
  for (const { store } of arms) await store.close();
  return arms.map(({ mode }, index) => {
    const spread = (name: keyof Measured): Spread => spreadOf((measured[index] ?? []).map((each) => each[name]));
    return {
      profileBytes,
      mode,
      heldShare: spread('heldShare'),
      trustedShare: spread('trustedShare'),
      clientMicrosPerRead: spread('clientMicrosPerRead'),
      redisMicrosPerRead: spread('redisMicrosPerRead'),
      bytesPerRead: spread('bytesPerRead'),
    };
  });
}

const observer = new Redis({ path: url.replace('unix://', '') });
const runs: NearCacheRun[] = [];
for (const profileBytes of [2_000, 8_000]) runs.push(...(await runsWith(profileBytes, observer)));
observer.disconnect();
const report: NearCacheReport = { visitors, readsPerSecond, rounds, bytesMax, trustMs, runs };
process.stdout.write(`${JSON.stringify(report)}\n`);
