/**
 * The primary of several processes that serve one port: starts them, replaces the dead, passes on what it is told, and sums up
 * what they say of themselves. It serves no request itself, so nothing a caller sends can end it.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Logger } from 'pino';
import { countsOnly, mergeMetrics } from '../telemetry/merge-metrics.ts';
import type { Clock } from '../time/clock.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';
import { closeUntakenAtExit } from './dealt.ts';
import { goneAfterMs, type Heartbeat, listenTo, silentAfterMs } from './heartbeat.ts';
import type { Asked, Serving, ToPrimary, ToWorker } from './serving.ts';

export interface WorkersParts {
  readonly count: number;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

export interface Workers {
  /** The first alone, since what is made once at a start is made by it; then all others. Resolves when the first one serves. */
  start(): Promise<Serving>;
  reload(): void;
  /** Resolves when every worker has ended; those that take too long are ended. */
  stop(): Promise<void>;
  isReady(): boolean;
  status(): Promise<object>;
  metricsText(): Promise<string>;
}

/** The first worker ended with this exit code before it served. What was wrong it has said itself. */
export class FirstWorkerEnded extends Error {
  override readonly name = 'FirstWorkerEnded';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('the first worker ended before it served');
    this.exitCode = exitCode;
  }
}

/** A place among the workers, which outlives the processes that take it. */
interface Place {
  readonly id: number;
  worker: Worker | null;
  /** It has said that it serves. */
  isServing: boolean;
  /** It does not answer. Frozen, or its event loop hangs. */
  isSilent: boolean;
  /** Null while it only starts: that may take long. */
  heartbeat: Heartbeat | null;
  /** When it became as it is. */
  sinceMs: number;
  startedMs: number;
  diedYoung: number;
  /** What its process has counted, as far as we were told. */
  lastMetrics: string;
  /** Resolves when it takes in nobody any more. */
  shut: PromiseWithResolvers<void>;
}

const patienceMs = 1000;
/** Less than a service's own grace, so that we are still there to end those who do not end. */
const stopPatienceMs = 9000;
/** One that is frozen does not keep the port open for ever. Longer than a worker that is not says goodbye. */
const shutPatienceMs = 4000;
/** Who lives longer than this did not die of its start. */
const youngMs = 10_000;
const firstDelayMs = 100;
const delayMaxMs = 10_000;

export function createWorkers({ count, host, port, clock, logger }: WorkersParts): Workers {
  const places: readonly Place[] = Array.from({ length: count }, (_, index) => newPlace(index + 1, clock));
  const questions = new Map<number, (answer: unknown) => void>();
  const first = Promise.withResolvers<Serving>();
  let hasServed = false;
  let isStopping = false;
  let asked = 0;
  /** What a worker is told beyond our own environment. */
  let settings: Readonly<Record<string, string>> = {};
  /** What the dead have counted: a sum must not fall because somebody died. */
  let countsOfTheDead = '';

  function startWorker(place: Place): void {
    if (isStopping) return;
    const worker = cluster.fork(settings);
    closeUntakenAtExit(worker.process);
    place.worker = worker;
    place.startedMs = clock.monotonicMs();
    place.shut = Promise.withResolvers();
    worker.on('message', (word: ToPrimary) => hear(place, word));
    // A worker that is dying cannot be told anything; its end is told by `exit`.
    worker.on('error', () => {});
    worker.once('exit', (code, signal) => ended(place, code, signal));
  }

  function hear(place: Place, word: ToPrimary): void {
    place.heartbeat?.heard();
    if (word.say === 'told') questions.get(word.question)?.(word.answer);
    else if (word.say === 'look') afterTurn(() => tell(place, { say: 'looked' }));
    else if (word.say === 'has_shut') place.shut.resolve();
    else if (word.say === 'serving') served(place, word.serving);
    else if (word.say === 'cannot_run') cannotRun(place, word.sentence);
  }

  function served(place: Place, serving: Serving): void {
    place.isServing = true;
    place.sinceMs = clock.nowMs();
    if (isStopping) tell(place, { say: 'stop' });
    else place.heartbeat = heartbeatOf(place);
    if (isStopping || hasServed) return;
    hasServed = true;
    for (const other of places) if (other !== place) startWorker(other);
    first.resolve(serving);
  }

  function heartbeatOf(place: Place): Heartbeat {
    const { id, worker } = place;
    const who = { id, pid: worker?.process.pid };
    const becomeSilent = (isSilent: boolean): void => {
      place.isSilent = isSilent;
      place.sinceMs = clock.nowMs();
    };
    return listenTo({
      clock,
      ask: () => tell(place, { say: 'answer_me' }),
      fellSilent() {
        becomeSilent(true);
        logger.warn({ ...who, silentMs: silentAfterMs }, 'a worker does not answer and counts as not ready; it is killed if that lasts');
      },
      answersAgain() {
        becomeSilent(false);
        logger.info(who, 'a worker answers again');
      },
      isGone() {
        logger.warn({ ...who, silentMs: goneAfterMs }, 'a worker did not answer for too long and is killed');
        worker?.process.kill('SIGKILL');
      },
    });
  }

  function forgetHeartbeat(place: Place): void {
    place.heartbeat?.dispose();
    place.heartbeat = null;
  }

  function cannotRun(place: Place, sentence: string): void {
    if (!hasServed) first.reject(new CannotRun(sentence));
    else logger.warn({ id: place.id, pid: place.worker?.process.pid }, `a worker cannot run: ${sentence}`);
  }

  function ended(place: Place, code: number | null, signal: string | null): void {
    const pid = place.worker?.process.pid;
    place.worker = null;
    place.isServing = false;
    place.isSilent = false;
    forgetHeartbeat(place);
    place.shut.resolve();
    place.sinceMs = clock.nowMs();
    countsOfTheDead = mergeMetrics([countsOfTheDead, countsOnly(place.lastMetrics)]);
    place.lastMetrics = '';
    if (!hasServed) first.reject(new FirstWorkerEnded(code ?? 1));
    if (isStopping || !hasServed) return;
    const delayMs = delayOf(place);
    logger.warn({ id: place.id, pid, code, signal, delayMs }, 'a worker ended and is replaced');
    if (delayMs === 0) startWorker(place);
    else clock.after(delayMs, () => startWorker(place));
  }

  function delayOf(place: Place): number {
    place.diedYoung = clock.monotonicMs() - place.startedMs < youngMs ? place.diedYoung + 1 : 0;
    return place.diedYoung <= 1 ? 0 : Math.min(firstDelayMs * 2 ** (place.diedYoung - 2), delayMaxMs);
  }

  /** Null where the answer does not come in time. */
  function ask(place: Place, about: Asked): Promise<unknown> {
    asked += 1;
    const question = asked;
    return new Promise((resolve) => {
      const settle = (answer: unknown): void => {
        forget();
        questions.delete(question);
        resolve(answer);
      };
      const forget = clock.after(patienceMs, () => settle(null));
      questions.set(question, settle);
      tell(place, { say: 'tell', about, question });
    });
  }

  async function metricsOf(place: Place): Promise<string> {
    const { worker } = place;
    // It is not waited for, and what it has counted stays.
    if (place.isSilent) return countsOnly(place.lastMetrics);
    const told = await ask(place, 'metrics');
    // While we waited it may have died, and then its counts are among those of the dead.
    if (place.worker !== worker) return '';
    if (typeof told !== 'string') return countsOnly(place.lastMetrics);
    place.lastMetrics = told;
    return told;
  }

  /**
   * One after another, the last one when all others have: whoever has been dealt to a worker that takes in nobody any more is dealt
   * to another, as long as there is one.
   */
  async function shutDoors(): Promise<void> {
    const running = places.filter(({ worker }) => worker !== null);
    const last = running.find(isReady) ?? running[0];
    const others = running.filter((place) => place !== last);
    for (const place of others) tell(place, { say: 'may_shut' });
    await Promise.race([
      Promise.all(others.map(({ shut }) => shut.promise)),
      new Promise<void>((resolve) => clock.after(shutPatienceMs, resolve)),
    ]);
    if (last !== undefined) tell(last, { say: 'may_shut' });
  }

  const servingOnes = (): readonly Place[] => places.filter(({ isServing }) => isServing);
  const readyOnes = (): readonly Place[] => places.filter(isReady);

  return {
    async start() {
      cluster.schedulingPolicy = cluster.SCHED_RR;
      // One for all, and for those who replace them when all have died.
      if (port === 0) settings = { STEPWELL_PORT: String(await freePort(host)) };
      const [place] = places;
      if (place !== undefined) startWorker(place);
      return first.promise;
    },
    reload() {
      for (const place of servingOnes()) tell(place, { say: 'reload' });
    },
    async stop() {
      isStopping = true;
      for (const place of places) forgetHeartbeat(place);
      const running = places.flatMap(({ worker }) => (worker === null || worker.isDead() ? [] : [worker]));
      const ends = running.map((worker) => new Promise<void>((resolve) => worker.once('exit', () => resolve())));
      for (const place of places) tell(place, { say: 'stop' });
      void shutDoors();
      const forget = clock.after(stopPatienceMs, () => {
        for (const worker of running) worker.process.kill('SIGKILL');
      });
      await Promise.all(ends);
      forget();
    },
    isReady: () => readyOnes().length > 0,
    async status() {
      const told = await Promise.all(readyOnes().map((place) => ask(place, 'status')));
      const ofFirst = told.find((status) => typeof status === 'object' && status !== null) ?? { policy: null, dependencies: null };
      return { ...ofFirst, workers: places.map(statusOf) };
    },
    async metricsText() {
      const texts = await Promise.all(servingOnes().map(metricsOf));
      return mergeMetrics([...texts, countsOfTheDead]);
    },
  };
}

function newPlace(id: number, clock: Clock): Place {
  return {
    id,
    worker: null,
    isServing: false,
    isSilent: false,
    heartbeat: null,
    sinceMs: clock.nowMs(),
    startedMs: 0,
    diedYoung: 0,
    lastMetrics: '',
    shut: Promise.withResolvers(),
  };
}

function isReady({ isServing, isSilent }: Place): boolean {
  return isServing && !isSilent;
}

function statusOf(place: Place) {
  const { id, worker, sinceMs } = place;
  return { id, pid: worker?.process.pid ?? null, ready: isReady(place), since: new Date(sinceMs).toISOString() };
}

/**
 * Workers that each ask for any port are dealt one and the same, but only as long as one of them lives. Somebody else may take the
 * port between this and the first worker's listening; then the start fails and says so.
 */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  try {
    server.listen({ host, port: 0, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    throw new CannotRun(`the service cannot listen on ${host} port 0: ${systemSentence(error)}`);
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** When whoever waits at the port has been taken in. The first turn may be under way already. */
function afterTurn(callback: () => void): void {
  setImmediate(() => setImmediate(callback));
}

/** Whoever is not there hears nothing, and its end is noticed otherwise. */
function tell({ worker }: Place, word: ToWorker): void {
  if (worker?.isConnected() === true) worker.send(word, () => {});
}
