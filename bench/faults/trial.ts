/**
 * One fault tried: calm, the fault, and what comes after, with callers asking all the while. Measures what they saw and holds it
 * against what must hold.
 */
import type { Fault, Setting } from './catalogue.ts';
import { monotonicMs } from './exchange.ts';
import type { Tier } from './people.ts';
import type { FaultService } from './processes.ts';
import { healthy } from './proxy.ts';
import type { Asked } from './traffic.ts';
import { reshaped, type Scene, startFlood, startTrafficProcess, type TrafficFindings, type TrafficProcess, type World } from './world.ts';

export interface Timing {
  readonly calmMs: number;
  readonly faultMs: number;
  readonly afterMs: number;
  /** Longer, until the user tier is back, but not for ever. */
  readonly giveUpMs: number;
  readonly requestsPerSecond: number;
  readonly toleranceMs: number;
  readonly seed: number;
}

export const usualTiming: Timing = {
  calmMs: 1_200,
  faultMs: 3_000,
  afterMs: 2_500,
  giveUpMs: 10_000,
  requestsPerSecond: 200,
  toleranceMs: 250,
  seed: 1,
};
export const quickTiming: Timing = { ...usualTiming, calmMs: 600, faultMs: 1_000, afterMs: 1_500 };

export interface Finding {
  readonly ids: readonly string[];
  readonly decisions: number;
  readonly lost: number;
  readonly shed: number;
  readonly wrong: number;
  /** The worst, beyond the declared deadline: by the service's own account, and as callers saw it. */
  readonly overshootServerMs: number;
  readonly overshootClientMs: number;
  /** How late the callers themselves were at worst: their measurements are no better than that. */
  readonly callersLateMs: number;
  /** During the fault, of those who might have it. Null: nobody might. */
  readonly userShare: number | null;
  /** From the fault's end to the first answer at the user tier, or what `recoveryFrom` asks for. Null: it never was. */
  readonly recoveryMs: number | null;
  readonly reasons: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
  /** What does not hold; empty: the fault is survived. */
  readonly complaints: readonly Complaint[];
}

export interface Complaint {
  /** `late` and `slow` are about time, which a busy machine has too little of; the others are about what was answered. */
  readonly about: 'lost' | 'wrong' | 'refused' | 'late' | 'slow' | 'never back' | 'less' | 'reasons' | 'editions' | 'no trial';
  readonly text: string;
}

const usualReasons = [
  'identity_timeout',
  'identity_failed',
  'consent_timeout',
  'consent_failed',
  'profile_timeout',
  'profile_failed',
  'session_timeout',
  'session_failed',
  'deadline_too_short',
  'circuit_open',
  // Whatever was done to the machine, or to ours by somebody else on it.
  'overload',
];

/** The figure. */
const overshootMaxMs = 25;
/** The first answers after a fault begins or ends may be to questions from before. */
const edgeMs = 150;
/** A machine with other work to do is late now and then. */
const untouchedShareMin = 0.9;
const wholeShareMin = 0.9;

/** Callers that wait this long for their own turn are on a machine that has other work, and say more about it than about the service. */
const callersLateMaxMs = 25;
const attemptsMax = 2;

/** Tries again, and says so, where what does not hold was seen by callers who could not see well. */
export async function tryFaultsInPeace(world: World, faults: readonly Fault[], timing: Timing = usualTiming): Promise<Finding> {
  for (let attempt = 1; ; attempt += 1) {
    const finding = await tryFaults(world, faults, timing);
    const isBlurred = finding.complaints.length > 0 && finding.wrong === 0 && finding.callersLateMs > callersLateMaxMs;
    if (isBlurred && attempt < attemptsMax) continue;
    const notes = attempt === 1 ? [] : [`attempt ${attempt}: before, the machine was busy with other work`];
    return { ...finding, notes: [...finding.notes, ...notes] };
  }
}

/** Of several faults at once, all that any of them allows is allowed. */
export async function tryFaults(
  plainWorld: World,
  faults: readonly Fault[],
  timing: Timing = usualTiming,
  /** Serves already, and is used where the faults ask for nothing special; it is left running. */
  standing: FaultService | null = null,
): Promise<Finding> {
  const { shape } = settingOf(faults);
  const world = shape === undefined ? plainWorld : await reshaped(plainWorld, shape);
  try {
    return await tryIn(world, faults, timing, standing);
  } finally {
    if (world !== plainWorld) await world.end();
  }
}

async function tryIn(world: World, faults: readonly Fault[], timing: Timing, standing: FaultService | null): Promise<Finding> {
  const notes: string[] = [];
  const services: Scene['services'] = [];
  const more: TrafficProcess[] = [];
  const setting = settingOf(faults);
  const faultMs = Math.max(...faults.map(({ seconds }) => (seconds === undefined ? timing.faultMs : seconds * 1000)));
  const afterMs = Math.max(timing.afterMs, ...faults.map(({ afterSeconds = 0 }) => afterSeconds * 1000));
  // What is brought back afterwards is what was stored before: nobody may have said anything else meanwhile.
  const trafficOptions = { ...timing, changesMinds: !faults.some(({ touches }) => touches === 'data') };
  const targets = () => services.map(({ host, port }) => ({ host, port }));

  let traffic: TrafficProcess | null = null;
  const scene: Scene = {
    ...world,
    services,
    get traffic() {
      if (traffic === null) throw new Error('nobody asks yet');
      return traffic;
    },
    aim: async () => void (await traffic?.aim(targets())),
    async moreTraffic(options) {
      more.push(
        await startTrafficProcess({ ...trafficOptions, ...options, targets: targets(), changesMinds: false, seed: timing.seed + 1 }),
      );
    },
    flood(order) {
      const [service] = services;
      if (service === undefined) throw new Error('nobody serves');
      return startFlood({ ...order, host: service.host, port: service.port });
    },
    note: (text) => notes.push(text),
  };

  const undos: (() => Promise<void> | void)[] = [];
  const inject = async (): Promise<void> => {
    for (const fault of faults) undos.push(await fault.start(scene));
  };
  const cap = capOf(faults);
  let faultAtMs = 0;
  let inForceAtMs = 0;
  let liftingAtMs = 0;
  let endAtMs = 0;
  const findings: TrafficFindings[] = [];
  try {
    if (setting.isFirst) {
      faultAtMs = monotonicMs();
      await inject();
    }
    if (standing !== null) services.push(standing);
    else for (let replica = 0; replica < (setting.replicas ?? 1); replica += 1) services.push(await world.startService(setting));
    if (setting.isFirst) notes.push(`served ${Math.round(services[0]?.startMs ?? 0)} ms after the start of the process`);
    traffic = await startTrafficProcess({ ...trafficOptions, people: world.people, targets: targets() });
    if (!setting.isFirst) {
      await pause(timing.calmMs);
      faultAtMs = monotonicMs();
      await inject();
    }
    await traffic.cap(cap);
    inForceAtMs = monotonicMs();
    await pause(faultMs);
    liftingAtMs = monotonicMs();
    await traffic.cap(null);
    for (const undo of undos.splice(0).reverse()) await undo();
    endAtMs = monotonicMs();
    await pause(afterMs);
    while ((await traffic.userTierSince(endAtMs)) === null && monotonicMs() - endAtMs < timing.giveUpMs) await pause(100);
  } finally {
    for (const undo of undos.reverse()) await undo();
    await world.proxy.behave(healthy);
    for (const each of [...more, ...(traffic === null ? [] : [traffic])]) findings.push(await each.stop());
    for (const service of services) {
      if (service.exitCode() !== null && service.exitCode() !== 0) notes.push(`the service ended with ${service.exitCode()}`);
      if (service !== standing) await service.end();
    }
  }
  return judge({ faults, afterMs, findings, faultAtMs, inForceAtMs, liftingAtMs, endAtMs, notes });
}

/** The most that anybody may be shown while it lasts. */
function capOf(faults: readonly Fault[]): Tier | null {
  const stores = faults.map(({ holds }) => holds.store);
  if (stores.includes('gone')) return 'segment';
  return stores.includes('unproved') ? 'session' : null;
}

function settingOf(faults: readonly Fault[]): Setting {
  const settings = faults.flatMap(({ setting }) => setting ?? []);
  return {
    ...Object.assign({}, ...settings),
    env: Object.assign({}, ...settings.map(({ env }) => env)),
    nodeArguments: settings.flatMap(({ nodeArguments = [] }) => nodeArguments),
  };
}

interface Judging {
  readonly faults: readonly Fault[];
  readonly afterMs: number;
  readonly findings: readonly TrafficFindings[];
  readonly faultAtMs: number;
  readonly inForceAtMs: number;
  /** What ends the fault begins, and has ended. */
  readonly liftingAtMs: number;
  readonly endAtMs: number;
  readonly notes: readonly string[];
}

function judge({ faults, afterMs, findings, faultAtMs, inForceAtMs, liftingAtMs, endAtMs, notes }: Judging): Finding {
  const records = findings.flatMap((each) => each.records);
  const answeredAtMs = ({ sentAtMs, latencyMs }: Asked): number => sentAtMs + latencyMs;
  const meanwhile = records.filter((each) => each.sentAtMs >= inForceAtMs + edgeMs && answeredAtMs(each) <= liftingAtMs);
  const since = records.filter(({ sentAtMs }) => sentAtMs >= faultAtMs);
  const afterwards = records.filter(({ sentAtMs }) => sentAtMs >= endAtMs).sort((a, b) => answeredAtMs(a) - answeredAtMs(b));
  const first = afterwards.find(({ mayBeUser, isUser }) => mayBeUser && isUser);
  const atTheEnd = afterwards.filter(({ sentAtMs, mayBeUser }) => mayBeUser && sentAtMs >= endAtMs + afterMs - 1_000);
  const lost = records.filter(({ outcome }) => outcome === 'lost');
  const wrong = records.filter((each) => each.wrong !== null);
  const mayBe = meanwhile.filter(({ mayBeUser, outcome }) => mayBeUser && outcome === 'answered');
  const found = {
    ids: faults.map(({ id }) => id),
    decisions: records.length,
    lost: lost.length,
    shed: records.filter(({ outcome }) => outcome === 'shed').length,
    wrong: wrong.length,
    overshootServerMs: greatest(since.map(({ serverMs, deadlineMs }) => (serverMs === null ? 0 : serverMs - deadlineMs))),
    overshootClientMs: greatest(since.map(({ latencyMs, deadlineMs }) => latencyMs - deadlineMs)),
    callersLateMs: greatest(findings.map(({ ownLatenessMaxMs }) => ownLatenessMaxMs)),
    userShare: mayBe.length === 0 ? null : share(mayBe, ({ isUser }) => isUser),
    recoveryMs: faults.some(({ holds }) => holds.recoveryFrom === 'beginning')
      ? wholeAgainMs(since, faultAtMs)
      : first === undefined
        ? null
        : answeredAtMs(first) - endAtMs,
    reasons: countOf(meanwhile.flatMap(({ reasons }) => [...new Set(reasons)])),
    notes: [...notes, ...retriesOf(records)],
  };
  return { ...found, complaints: complaintsOf(faults, found, { lost, wrong, records, atTheEnd, mayBe }) };
}

const wholeForMs = 500;

/** From the fault's beginning until, for half a second, nearly all who may have the user tier have it. Null: never. */
function wholeAgainMs(since: readonly Asked[], faultAtMs: number): number | null {
  const mayBe = since.filter(({ mayBeUser }) => mayBeUser).sort((a, b) => a.sentAtMs - b.sentAtMs);
  const below = mayBe.filter(({ isUser, sentAtMs }) => !isUser && sentAtMs >= faultAtMs);
  for (const { sentAtMs } of [{ sentAtMs: faultAtMs }, ...below]) {
    const next = mayBe.filter((each) => each.sentAtMs > sentAtMs && each.sentAtMs <= sentAtMs + wholeForMs);
    if (next.length > 0 && share(next, ({ isUser }) => isUser) >= wholeShareMin) return sentAtMs - faultAtMs;
  }
  return null;
}

interface Seen {
  readonly lost: readonly Asked[];
  readonly wrong: readonly Asked[];
  readonly records: readonly Asked[];
  readonly atTheEnd: readonly Asked[];
  readonly mayBe: readonly Asked[];
}

function complaintsOf(faults: readonly Fault[], found: Omit<Finding, 'complaints'>, seen: Seen): Complaint[] {
  const holds = faults.map((fault) => fault.holds);
  const stores = holds.map(({ store }) => store);
  const complaints: Complaint[] = [];
  const complain = (about: Complaint['about'], isSo: boolean, text: () => string): void => {
    if (isSo) complaints.push({ about, text: text() });
  };
  complain('lost', found.lost > 0, () => `${found.lost} lost: ${commonest(seen.lost.map(({ why }) => why ?? ''))}`);
  complain('wrong', found.wrong > 0, () => `${found.wrong} wrong: ${commonest(seen.wrong.map(({ wrong }) => wrong ?? ''))}`);
  complain('refused', found.shed > 0 && !holds.some(({ mayShed }) => mayShed), () => `${found.shed} refused`);
  const limitMs = Math.max(...holds.map((each) => each.overshootMaxMs ?? overshootMaxMs));
  complain('late', found.overshootServerMs > limitMs, () => `${found.overshootServerMs.toFixed(1)} ms late, and ${limitMs} is the most`);
  const withinMs = Math.max(...holds.map(({ recoverWithinMs }) => recoverWithinMs));
  complain('never back', found.recoveryMs === null, () => 'never back at the user tier');
  complain(
    'slow',
    found.recoveryMs !== null && found.recoveryMs > withinMs,
    () => `back after ${Math.round(found.recoveryMs ?? 0)} ms, and ${withinMs} is the most`,
  );
  const whole = share(seen.atTheEnd, ({ isWhole }) => isWhole);
  complain('less', whole < wholeShareMin, () => `at the end only ${percent(whole)} have all that they may have`);
  // A fault that nobody notices is no trial.
  complain(
    'no trial',
    capOf(faults) !== null && seen.mayBe.length > 0,
    () => 'the oracle still allowed the user tier while the store was gone',
  );
  complain(
    'less',
    stores.every((store) => store === 'untouched') && (found.userShare ?? 0) < untouchedShareMin,
    () => `only ${percent(found.userShare ?? 0)} kept the user tier`,
  );
  const others = Object.keys(found.reasons).filter((reason) => !usualReasons.includes(reason));
  complain('reasons', others.length > 0, () => `not a reason here: ${others.join(', ')}`);
  const editionsMax = Math.max(...holds.map((each) => each.editionsMax ?? 1));
  const pairs = new Set(seen.records.flatMap(({ edition, revision }) => (edition === null ? [] : [`${edition} ${revision}`])));
  complain(
    'editions',
    pairs.size > editionsMax,
    () => `${pairs.size} pairs of revision and edition were seen, and ${editionsMax} is the most`,
  );
  return complaints;
}

function retriesOf(records: readonly Asked[]): string[] {
  const retried = records.filter(({ retries }) => retries > 0).length;
  return retried === 0 ? [] : [`${retried} sent again after a closed connection`];
}

function share<T>(all: readonly T[], is: (each: T) => boolean): number {
  return all.length === 0 ? 1 : all.filter(is).length / all.length;
}

function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(value, most), 0);
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function commonest(texts: readonly string[]): string {
  const [most] = Object.entries(countOf(texts)).sort(([, a], [, b]) => b - a);
  return most === undefined ? '' : `${most[0]} (${most[1]} ×)`;
}

export function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
