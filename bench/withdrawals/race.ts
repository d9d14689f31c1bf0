/**
 * A race between visitors who take consent back, again and again, and the decisions about them in every process of a fleet. A decision
 * that began after the withdrawal was acknowledged and still shows what was withdrawn is stale. One clock, that of this process, says
 * what came before what.
 */
import { Agent, request } from 'node:http';

export interface Contender {
  readonly what: 'subject' | 'session';
  /** Gives consent, so that `tier` is shown. */
  grant(ask: Ask): Promise<void>;
  /** Resolves when a service has acknowledged it. */
  withdraw(ask: Ask): Promise<void>;
  /** What `POST /v1/decide` is asked. */
  question(): object;
  /** What is shown of them with consent, and never without. */
  readonly tier: string;
}

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly text: string;
}

export type Ask = (method: 'POST' | 'PUT', path: string, body?: object) => Promise<Answer>;

export interface RaceSetting {
  /** Of each process. */
  readonly urls: readonly string[];
  readonly contenders: readonly Contender[];
  readonly decisionsMin: number;
  /** What the policy allows: how much later than the acknowledgement a decision may begin and not know. */
  readonly freshnessMaxMs: number;
  readonly atOncePerProcess?: number;
}

export interface Stale {
  readonly what: Contender['what'];
  readonly process: number;
  /** From the acknowledgement to the beginning of the decision. */
  readonly afterMs: number;
}

export interface RaceReport {
  readonly decisions: number;
  /** Decisions that began between an acknowledged withdrawal and the next grant. */
  readonly afterWithdrawal: number;
  /** Decisions that showed what consent allows: where there are none, nothing was raced. */
  readonly shown: number;
  readonly unanswered: number;
  readonly withdrawals: number;
  readonly stale: readonly Stale[];
  /** What the policy's `freshness` allows. */
  readonly withinBound: number;
  /** Of each withdrawal and process: from the acknowledgement to the first answer that obeys. */
  readonly obeyedAfterMs: readonly number[];
  /** Of each withdrawal and process: from the acknowledgement to the beginning of the last decision that did not; 0: there was none. */
  readonly knownAfterMs: readonly number[];
}

/** A race that stands still so long is no race. */
const patienceMs = 60_000;
/** So many decisions of each process have to obey before consent is given again. */
const obeyedEnough = 2;

interface Runner {
  readonly contender: Contender;
  /** Raised before each grant is sent: an answer to a question of before proves nothing. */
  epoch: number;
  /** Null while consent stands, or is on its way. */
  closedAtMs: number | null;
  readonly shownBy: Set<number>;
  readonly obeyedBy: Map<number, { times: number; firstMs: number; lastDisobeyedMs: number }>;
  progress: PromiseWithResolvers<void>;
}

export async function race(setting: RaceSetting): Promise<RaceReport> {
  const { urls, contenders, decisionsMin, freshnessMaxMs, atOncePerProcess = 3 } = setting;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const asks = urls.map(
    (url): Ask =>
      (method, path, body) =>
        send(agent, url + path, method, body),
  );
  const anyAsk = (): Ask => asks[Math.floor(Math.random() * asks.length)] as Ask;
  const runners = contenders.map(
    (contender): Runner => ({
      contender,
      epoch: 0,
      closedAtMs: null,
      shownBy: new Set(),
      obeyedBy: new Map(),
      progress: Promise.withResolvers(),
    }),
  );
  const report = { decisions: 0, afterWithdrawal: 0, shown: 0, unanswered: 0, withdrawals: 0, withinBound: 0 };
  const stale: Stale[] = [];
  const obeyedAfterMs: number[] = [];
  const knownAfterMs: number[] = [];
  let isOver = false;

  function judge(runner: Runner, process: number, begunAtMs: number, closedAtMs: number | null, tier: string): void {
    const isShown = tier === runner.contender.tier;
    if (isShown) report.shown += 1;
    if (closedAtMs === null) {
      if (isShown) runner.shownBy.add(process);
      return;
    }
    report.afterWithdrawal += 1;
    const afterMs = begunAtMs - closedAtMs;
    const obeyed = runner.obeyedBy.get(process) ?? { times: 0, firstMs: 0, lastDisobeyedMs: 0 };
    runner.obeyedBy.set(process, obeyed);
    if (!isShown) {
      if (obeyed.times === 0) obeyed.firstMs = performance.now() - closedAtMs;
      obeyed.times += 1;
      return;
    }
    obeyed.lastDisobeyedMs = Math.max(obeyed.lastDisobeyedMs, afterMs);
    if (afterMs > freshnessMaxMs) stale.push({ what: runner.contender.what, process, afterMs });
    else report.withinBound += 1;
  }

  async function decideOnce(ask: Ask, process: number): Promise<void> {
    const runner = runners[Math.floor(Math.random() * runners.length)] as Runner;
    const { epoch, closedAtMs } = runner;
    const begunAtMs = performance.now();
    const { status, text } = await ask('POST', '/v1/decide', runner.contender.question());
    report.decisions += 1;
    if (status !== 200) report.unanswered += 1;
    else if (runner.epoch === epoch && runner.closedAtMs === closedAtMs) {
      judge(runner, process, begunAtMs, closedAtMs, (JSON.parse(text) as { zones: [{ tier: string }] }).zones[0].tier);
      runner.progress.resolve();
    }
  }

  async function keepDeciding(ask: Ask, process: number): Promise<void> {
    while (!isOver) await decideOnce(ask, process);
  }

  async function untilSo(runner: Runner, isSo: () => boolean): Promise<void> {
    while (!isSo() && !isOver) {
      runner.progress = Promise.withResolvers();
      await runner.progress.promise;
    }
  }

  async function keepWithdrawing(runner: Runner): Promise<void> {
    while (!isOver && report.decisions < decisionsMin) {
      runner.epoch += 1;
      runner.closedAtMs = null;
      await runner.contender.grant(anyAsk());
      runner.shownBy.clear();
      await untilSo(runner, () => runner.shownBy.size === urls.length);
      if (isOver) return;
      await runner.contender.withdraw(anyAsk());
      report.withdrawals += 1;
      runner.obeyedBy.clear();
      runner.closedAtMs = performance.now();
      const isHeard = ({ times }: { times: number }) => times >= obeyedEnough;
      await untilSo(runner, () => runner.obeyedBy.size === urls.length && [...runner.obeyedBy.values()].every(isHeard));
      for (const { firstMs, lastDisobeyedMs } of runner.obeyedBy.values()) {
        obeyedAfterMs.push(firstMs);
        knownAfterMs.push(lastDisobeyedMs);
      }
    }
  }

  const standstill = Promise.withResolvers<never>();
  let seen = -1;
  const watch = setInterval(() => {
    if (seen === report.withdrawals) standstill.reject(new Error(`no withdrawal came to an end within ${patienceMs} ms`));
    seen = report.withdrawals;
  }, patienceMs);
  const deciding = asks.flatMap((ask, process) => Array.from({ length: atOncePerProcess }, () => keepDeciding(ask, process)));
  try {
    await Promise.race([Promise.all(runners.map(keepWithdrawing)), standstill.promise]);
  } finally {
    isOver = true;
    clearInterval(watch);
    for (const { progress } of runners) progress.resolve();
    await Promise.all(deciding);
    agent.destroy();
  }
  return { ...report, stale, obeyedAfterMs, knownAfterMs };
}

function send(agent: Agent, url: string, method: string, body?: object): Promise<Answer> {
  const payload = body === undefined ? '' : JSON.stringify(body);
  const headers =
    body === undefined ? { 'content-length': 0 } : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
  return new Promise((resolve) => {
    const unanswered = (): void => resolve({ status: 0, text: '' });
    const sent = request(url, { agent, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', unanswered);
    });
    // A connection that the service closed while we sent on it: more than one error may come of it.
    sent.on('error', unanswered);
    sent.end(payload);
  });
}
