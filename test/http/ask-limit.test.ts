/** How many may ask at once, held against a model of an event loop that is asked more than it can do. */
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../bench/faults/random.ts';
import { type AskLimit, createAskLimit } from '../../src/http/ask-limit.ts';
import { createQueueGauge, type QueueGauge } from '../../src/http/queue-gauge.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

/** Milliseconds of the one processor. As measured: a decision that asks costs some 0.08, one that does not 0.05, a refusal 0.025. */
const costs = { ask: 0.04, reply: 0.04, answer: 0.05, refusal: 0.025 } as const;
const deadlineMs = 60;
const roundTripMs = 1;
/** What the model's loop can ask for in a second. */
const capacity = 1000 / (costs.ask + costs.reply);

interface Rules {
  refuses(queue: QueueGauge, waitedMs: number): boolean;
  asks(limit: AskLimit, waitedMs: number): boolean;
}

const ours: Rules = {
  refuses: (queue, waitedMs) => waitedMs >= deadlineMs || queue.lastingMs() >= deadlineMs * 0.75,
  asks: (limit, waitedMs) => !limit.isReached() && waitedMs <= deadlineMs / 3,
};

interface Asked {
  readonly atMs: number;
}

/** Turns of a loop that reads all that has come, works on it in the order in which it came, and then hears of what was asked before. */
function run(perSecond: number, seconds: number, rules: Rules, seed: number) {
  const clock = new VirtualClock();
  const random = randomFrom(seed);
  const limit = createAskLimit();
  let endTurn = () => {};
  const queue = createQueueGauge({
    clock,
    onTurn: limit.turnEnded,
    afterTurn: (callback) => {
      endTurn = callback;
    },
  });
  const nowMs = () => clock.monotonicMs();
  const startMs = nowMs();
  const endMs = startMs + seconds * 1000;
  const counts = { offered: 0, inTime: 0, asked: 0, refused: 0 };
  const answered = ({ atMs }: Asked) => {
    if (nowMs() - atMs <= deadlineMs) counts.inTime += 1;
  };
  const gapMs = () => (-Math.log(1 - random()) * 1000) / perSecond;
  let nextMs = startMs + gapMs();
  let waiting: (Asked & { readonly dueMs: number })[] = [];
  while (nowMs() < endMs) {
    const turnMs = nowMs();
    const come: Asked[] = [];
    for (; nextMs <= turnMs; nextMs += gapMs()) come.push({ atMs: nextMs });
    counts.offered += come.length;
    const due = waiting.filter(({ dueMs }) => dueMs <= turnMs);
    waiting = waiting.filter(({ dueMs }) => dueMs > turnMs);
    if (come.length + due.length === 0) {
      clock.advance(Math.max(0.01, Math.min(nextMs, ...waiting.map(({ dueMs }) => dueMs)) - turnMs));
      continue;
    }
    for (const reply of due) {
      clock.advance(costs.reply);
      limit.end((nowMs() - reply.atMs) / deadlineMs);
      answered(reply);
    }
    const asked: Asked[] = [];
    for (const request of come) {
      const waitedMs = Math.max(queue.turnMs(), queue.lastingMs());
      if (rules.refuses(queue, waitedMs)) {
        clock.advance(costs.refusal);
        counts.refused += 1;
      } else if (rules.asks(limit, waitedMs)) {
        clock.advance(costs.ask);
        limit.begin();
        asked.push(request);
      } else {
        clock.advance(costs.answer);
        answered(request);
      }
    }
    counts.asked += asked.length;
    if (random() < 0.002) clock.advance(15);
    for (const request of asked) waiting.push({ ...request, dueMs: nowMs() + roundTripMs });
    if (come.length > 0) endTurn();
  }
  return { ...counts, limit: limit.limit };
}

describe('the limit of how many may ask at once', () => {
  const seed = Number(process.env.STEPWELL_TEST_SEED ?? 20_261_121);

  it('lets everybody ask while there is room for all', () => {
    const { offered, asked } = run(capacity * 0.6, 3, ours, seed);
    expect(asked / offered).toBeGreaterThan(0.99);
  });

  it.each([1.1, 1.5, 2])('answers at least nine tenths of the most that can be done, in time, at %d times the knee', (times) => {
    const seconds = 4;
    const { inTime } = run(capacity * times, seconds, ours, seed);
    expect(inTime / seconds, `seed ${seed}`).toBeGreaterThan(0.9 * capacity);
  });

  /** Turns of one length, in each of which all may ask that the limit lets, and are answered having used up so much of their time. */
  function turns(limit: AskLimit, count: number, { durationMs, usedShare }: { durationMs: number; usedShare: number }, fromMs = 0) {
    for (let turn = 0; turn < count; turn += 1) {
      let asked = 0;
      for (; !limit.isReached(); asked += 1) limit.begin();
      for (; asked > 0; asked -= 1) limit.end(usedShare);
      limit.turnEnded(fromMs + turn * durationMs, durationMs);
    }
  }

  it('falls while a busy loop makes decisions use up their time, and rises again once it does not', () => {
    const limit = createAskLimit();
    turns(limit, 50, { durationMs: 30, usedShare: 0.8 });
    expect(limit.limit).toBeLessThan(32);
    turns(limit, 800, { durationMs: 6, usedShare: 0.3 }, 1_530);
    expect(limit.limit).toBe(256);
  });

  it.each([
    ['a store that is slow by itself', { durationMs: 1, usedShare: 1 }],
    ['long turns in which all are answered soon enough', { durationMs: 30, usedShare: 0.7 }],
  ])('does not fall for %s', (_, turn) => {
    const limit = createAskLimit();
    turns(limit, 500, turn);
    expect(limit.limit).toBe(256);
  });

  it('does not fall for a long turn now and then while little is asked', () => {
    const limit = createAskLimit();
    for (let atMs = 0; atMs < 60_000; atMs += 300) turns(limit, 1, { durationMs: 40, usedShare: 1 }, atMs);
    expect(limit.limit).toBe(256);
  });

  it('does not fall for long turns among short ones', () => {
    const limit = createAskLimit();
    for (let atMs = 0; atMs < 5_000; atMs += 25) {
      turns(limit, 1, { durationMs: 20, usedShare: 1 }, atMs);
      turns(limit, 1, { durationMs: 1, usedShare: 1 }, atMs + 1);
    }
    expect(limit.limit).toBe(256);
  });

  // What the model is worth: without the limit its loop breaks down as a real one does.
  it('is needed: a loop that lets everybody ask who has not waited long answers hardly anybody in time', () => {
    const everybody: Rules = { ...ours, refuses: () => false, asks: (_, waitedMs) => waitedMs <= deadlineMs / 3 };
    const seconds = 4;
    const { inTime } = run(capacity * 2, seconds, everybody, seed);
    expect(inTime / seconds).toBeLessThan(0.5 * capacity);
  });
});
