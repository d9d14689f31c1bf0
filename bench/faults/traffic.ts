/**
 * What callers do while things break: mixed people ask at a steady rate, whatever became of the answers before, each with a deadline
 * of their own; every answer is judged as it comes. A few people change their consent again and again meanwhile.
 */
import { createHttpClient, type Exchange, monotonicMs, type Target } from './exchange.ts';
import { type AnsweredZone, type Ceiling, capped, everything, isWhole, mistakeIn, type Person, type Tier } from './people.ts';
import { type Random, randomFrom } from './random.ts';

export type Outcome = 'answered' | 'shed' | 'lost';

/** One request and what became of it. */
export interface Asked {
  readonly sentAtMs: number;
  readonly latencyMs: number;
  readonly deadlineMs: number;
  readonly outcome: Outcome;
  /** Of what was lost: why. */
  readonly why: string | null;
  /** Null: nothing. */
  readonly wrong: string | null;
  /** Might have been served at the user tier in some zone. */
  readonly mayBeUser: boolean;
  /** Some zone was. */
  readonly isUser: boolean;
  /** Every zone was served as high as it may be. */
  readonly isWhole: boolean;
  /** What the service itself says it took, from reading the headers to having decided. */
  readonly serverMs: number | null;
  /** Why zones went down, where the cause was time, a fault or load. */
  readonly reasons: readonly string[];
  readonly revision: string | null;
  readonly stale: boolean;
  /** Of the policy, where its content says so. */
  readonly edition: number | null;
  readonly retries: number;
}

export interface TrafficOptions {
  readonly targets: readonly Target[];
  readonly people: readonly Person[];
  readonly requestsPerSecond: number;
  readonly seed: number;
  /** How much later than its deadline an answer may reach us and still count as one. */
  readonly toleranceMs: number;
  /** Absent: the usual mixture. */
  readonly deadlinesMs?: readonly number[];
  /** Whether the fickle change their mind: a write that fails leaves both states possible. */
  readonly changesMinds: boolean;
}

export interface Traffic {
  aim(targets: readonly Target[]): void;
  /** From now on nobody may be served above this, whatever was known before; null: as usual. */
  cap(at: Tier | null): void;
  /** When the user tier was first answered to somebody who asked after this instant; null: not yet. */
  userTierSince(atMs: number): number | null;
  /** Stops asking, waits for what is under way, and hands over everything. */
  stop(): Promise<{ readonly records: readonly Asked[]; readonly ownLatenessMaxMs: number }>;
}

const usualDeadlinesMs = [20, 60, 60, 60, 120];
/** Nobody waits longer. */
const giveUpMs = 5_000;
/** Many at once would wait for each other. */
const tickMsAt = (requestsPerSecond: number): number => (requestsPerSecond > 1_000 ? 1 : 5);
const mindChangeEveryMs = 40;

export function startTraffic(options: TrafficOptions): Traffic {
  const { people, requestsPerSecond, deadlinesMs = usualDeadlinesMs } = options;
  const client = createHttpClient(options.targets);
  const random = randomFrom(options.seed);
  const draw = drawFrom(people);
  const records: Asked[] = [];
  const underWay = new Set<Promise<void>>();
  const tickMs = tickMsAt(requestsPerSecond);
  const minds = new Minds(people, options.targets);
  let cap: { readonly at: Tier; readonly sinceMs: number } | null = null;
  let ownLatenessMaxMs = 0;
  const startedAtMs = monotonicMs();
  let asked = 0;
  let lastTickAtMs = startedAtMs;

  async function askOne(): Promise<void> {
    const person = draw(random);
    const deadlineMs = deadlinesMs[Math.floor(random() * deadlinesMs.length)] ?? 60;
    const body = JSON.stringify({ ...person.body, deadlineMs });
    const before = minds.of(person);
    const exchange = await client.exchange({ head: headOf(person, body), body, giveUpMs });
    const after = minds.of(person);
    // Of the whole time that it was under way.
    const cappedAt = cap !== null && exchange.sentAtMs >= cap.sinceMs ? cap.at : 'user';
    const mayBeMore = before.mayBeGranted || after.mayBeGranted || before.changes !== after.changes;
    const allowed = mayBeMore ? person.highest : capped(person.highest, 'segment');
    const isSettled = before.changes === after.changes && !before.isUnsure;
    records.push(judged({ person, exchange, deadlineMs, ceiling: capped(allowed, cappedAt), options, isSettled }));
  }

  const ticking = setInterval(() => {
    const now = monotonicMs();
    ownLatenessMaxMs = Math.max(ownLatenessMaxMs, now - lastTickAtMs - tickMs);
    lastTickAtMs = now;
    for (const due = ((now - startedAtMs) / 1000) * requestsPerSecond; asked < due; asked += 1) {
      const asking = askOne().finally(() => underWay.delete(asking));
      underWay.add(asking);
    }
  }, tickMs);
  const changing = options.changesMinds ? setInterval(() => minds.changeOne(random), mindChangeEveryMs) : null;

  return {
    aim(targets) {
      client.aim(targets);
      minds.aim(targets);
    },
    cap(at) {
      cap = at === null ? null : { at, sinceMs: monotonicMs() };
    },
    userTierSince(atMs) {
      const first = records.find(({ isUser, sentAtMs }) => isUser && sentAtMs >= atMs);
      return first === undefined ? null : first.sentAtMs + first.latencyMs;
    },
    async stop() {
      clearInterval(ticking);
      if (changing !== null) clearInterval(changing);
      await Promise.all([...underWay, minds.settled()]);
      client.close();
      return { records, ownLatenessMaxMs };
    },
  };
}

function headOf({ headers }: Person, body: string): string {
  const lines = [
    'POST /v1/decide HTTP/1.1',
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return lines.join('\r\n');
}

interface Judging {
  readonly person: Person;
  readonly exchange: Exchange;
  readonly deadlineMs: number;
  readonly ceiling: Ceiling;
  readonly options: Pick<TrafficOptions, 'toleranceMs'>;
  readonly isSettled: boolean;
}

function judged({ person, exchange, deadlineMs, ceiling, options, isSettled }: Judging): Asked {
  const { status, head, sentAtMs, latencyMs, failure, retries } = exchange;
  const none = {
    wrong: null,
    mayBeUser: false,
    isUser: false,
    isWhole: false,
    serverMs: null,
    reasons: [],
    revision: null,
    stale: false,
    edition: null,
  };
  const base = { sentAtMs, latencyMs, deadlineMs, retries };
  if (status === 503 && head.includes('\r\nretry-after: ')) return { ...base, ...none, outcome: 'shed', why: null };
  if (status !== 200) return { ...base, ...none, outcome: 'lost', why: failure ?? `answered with ${status}` };
  const answer = parsed(exchange.body);
  if (answer === null) return { ...base, ...none, outcome: 'lost', why: 'the answer is no decision' };
  const isLate = latencyMs > deadlineMs + options.toleranceMs;
  const mayBeUser = Object.values(ceiling).includes('user');
  return {
    ...base,
    outcome: isLate ? 'lost' : 'answered',
    why: isLate ? `answered after ${Math.round(latencyMs)} ms of ${deadlineMs}` : null,
    wrong: mistakeIn(person, ceiling, answer.zones),
    mayBeUser: mayBeUser && isSettled,
    isUser: answer.zones.some(({ tier }) => tier === 'user'),
    isWhole: isWhole(person, ceiling, answer.zones) || !isSettled,
    serverMs: Number(/\r\nserver-timing: .*total;dur=([\d.]+)/.exec(head)?.[1] ?? Number.NaN),
    reasons: reasonsIn(answer.zones),
    revision: answer.policy.revision,
    stale: answer.policy.stale,
    edition: answer.zones.find(({ content }) => content?.edition !== undefined)?.content?.edition ?? null,
  };
}

interface ParsedAnswer {
  readonly zones: readonly AnsweredZone[];
  readonly policy: { readonly revision: string; readonly stale: boolean };
}

function parsed(text: string): ParsedAnswer | null {
  try {
    const answer = JSON.parse(text);
    return Array.isArray(answer.zones) && typeof answer.policy?.revision === 'string' ? answer : null;
  } catch {
    return null;
  }
}

const causesOfTrouble: readonly string[] = ['time', 'fault', 'load'];

function reasonsIn(zones: readonly AnsweredZone[]): string[] {
  return zones.flatMap(({ downgrade }) => (downgrade !== null && causesOfTrouble.includes(downgrade.cause) ? [downgrade.reason] : []));
}

/** By weight. */
function drawFrom(people: readonly Person[]): (random: Random) => Person {
  const sizes = new Map<string, number>();
  for (const { group } of people) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const shares = people.map(({ group, weight }) => weight / (sizes.get(group) ?? 1));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return (random) => {
    let left = random() * total;
    for (const [index, share] of shares.entries()) {
      left -= share;
      const person = people[index];
      if (left <= 0 && person !== undefined) return person;
    }
    return people.at(-1) as Person;
  };
}

interface Mind {
  state: 'granted' | 'denied';
  /** A write is under way or was not acknowledged: it may or may not count already. */
  isUnsure: boolean;
  changes: number;
  /** A grant was never acknowledged: a network may yet deliver it, however late. */
  isLost: boolean;
}

/** What the fickle have said so far, as far as the service acknowledged it. */
class Minds {
  readonly #minds = new Map<string, Mind>();
  readonly #people: readonly Person[];
  readonly #client;
  #writing: Promise<void> | null = null;

  constructor(people: readonly Person[], targets: readonly Target[]) {
    this.#people = people.filter(({ isFickle }) => isFickle);
    this.#client = createHttpClient(targets);
    // What an earlier run left behind is not known.
    for (const { subject } of this.#people) this.#minds.set(subject, { state: 'granted', isUnsure: true, changes: 0, isLost: false });
  }

  aim(targets: readonly Target[]): void {
    this.#client.aim(targets);
  }

  of({ subject }: Person): { mayBeGranted: boolean; isUnsure: boolean; changes: number } {
    const mind = this.#minds.get(subject);
    if (mind === undefined) return { mayBeGranted: true, isUnsure: false, changes: 0 };
    return { mayBeGranted: mind.isUnsure || mind.state === 'granted', isUnsure: mind.isUnsure, changes: mind.changes };
  }

  changeOne(random: Random): void {
    const person = this.#people[Math.floor(random() * this.#people.length)];
    const mind = person === undefined ? undefined : this.#minds.get(person.subject);
    if (person === undefined || mind === undefined || mind.isLost || this.#writing !== null) return;
    this.#writing = this.#change(person, mind).finally(() => {
      this.#writing = null;
    });
  }

  async settled(): Promise<void> {
    await this.#writing;
    this.#client.close();
  }

  async #change({ subject }: Person, mind: Mind): Promise<void> {
    const next = mind.state === 'granted' ? 'denied' : 'granted';
    mind.isUnsure = true;
    mind.changes += 1;
    const body = JSON.stringify({ useCases: everything(next), recordedAt: new Date(Date.now() - 1000).toISOString() });
    const head = [
      `PUT /v1/consents/${subject} HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ].join('\r\n');
    const { status } = await this.#client.exchange({ head, body, giveUpMs: 2_000 });
    if (status !== 200 && status !== 201 && status !== 204) {
      mind.isLost = next === 'granted';
      return;
    }
    mind.state = next;
    mind.isUnsure = false;
    mind.changes += 1;
  }
}
