/** What came of asking too much, as the table that `docs/overload.md` keeps. */
import { describeMachine } from '../machine.ts';
import { canPin } from '../pinned-process.ts';
import { table } from '../report.ts';
import type { OpenLoopReport } from './open-loop-process.ts';

export interface Phase {
  readonly name: string;
  readonly perSecond: number;
  readonly report: OpenLoopReport;
  readonly serverBusy: number;
}

const aims = { goodputShare: 0.9, recoverySeconds: 5 } as const;

type Pick = (second: OpenLoopReport['seconds'][number]) => number;

function sumOf({ report }: Phase, pick: Pick): number {
  return report.seconds.reduce((sum, second) => sum + pick(second), 0);
}

function perSecondOf(phase: Phase, pick: Pick): number {
  return sumOf(phase, pick) / phase.report.seconds.length;
}

export function inTimeOf(phase: Phase): number {
  return perSecondOf(phase, ({ inTime }) => inTime);
}

/** Of what was sent, how much was answered in time in the median second. */
export function usualShareOf({ report }: Phase): number {
  return median(report.seconds.map(({ inTime, sent }) => inTime / sent));
}

const heads = [
  'asked',
  'asked a second',
  'sent',
  'in time',
  'of these at the user tier',
  'late',
  'refused (503)',
  'lost',
  'p50 ms',
  'p99 ms',
  'service busy',
];

export function rowOf(phase: Phase): readonly string[] {
  const whole = (pick: Pick): string => Math.round(perSecondOf(phase, pick)).toLocaleString('en');
  const middle = (pick: Pick): string => median(phase.report.seconds.map(pick)).toFixed(1);
  return [
    phase.name,
    phase.perSecond.toLocaleString('en'),
    whole(({ sent }) => sent),
    whole(({ inTime }) => inTime),
    whole(({ personal }) => personal),
    whole(({ late }) => late),
    whole(({ refused }) => refused),
    String(sumOf(phase, ({ lost }) => lost)),
    middle(({ p50Ms }) => p50Ms),
    middle(({ p99Ms }) => p99Ms),
    `${Math.round(phase.serverBusy * 100)} %`,
  ];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Callers who pause so long ask for all that was due at once, and what that does to latencies is theirs. */
const punctualMs = 20;

/**
 * How many seconds pass before none has a p99 any more that is over the highest of a second before by more than a tenth. Of seconds in
 * which the callers were punctual.
 */
function recoverySeconds(after: Phase, before: Phase): number | null {
  const bound = Math.max(...before.report.seconds.filter(isPunctual).map(({ p99Ms }) => p99Ms)) * 1.1;
  const lastBad = after.report.seconds.findLastIndex((second) => isPunctual(second) && second.p99Ms > bound);
  return lastBad === after.report.seconds.length - 1 ? null : lastBad + 1;
}

function isPunctual({ ownLatenessMs }: OpenLoopReport['seconds'][number]): boolean {
  return ownLatenessMs < punctualMs;
}

interface Findings {
  readonly phases: readonly Phase[];
  readonly peak: number;
  readonly knee: number;
  readonly before: Phase;
  readonly busyBefore: number;
  readonly connections: number;
  readonly deadlineMs: number;
}

export function pageOf({ phases, peak, knee, before, busyBefore, connections, deadlineMs }: Findings): string {
  const machine = describeMachine();
  const goodput = phases
    .filter(({ name }) => name.includes('times') || name.includes('twice'))
    .map((phase) => `${phase.name}: ${((100 * inTimeOf(phase)) / peak).toFixed(0)} % of the peak in time`);
  const recoveries = phases
    .filter(({ name }) => name.includes('after'))
    .map((phase) => {
      const seconds = recoverySeconds(phase, before);
      const p99s = phase.report.seconds.map((second) => `${second.p99Ms.toFixed(0)}${isPunctual(second) ? '' : '*'}`).join(', ');
      return `${seconds === null ? 'not within the time looked at' : `after ${seconds} s`} (p99 by the second, in ms: ${p99s}; *: the callers themselves paused for over ${punctualMs} ms)`;
    });
  return [
    `\`npm run overload\`: ${machine.processor}, ${machine.processors} CPUs, Node ${process.versions.node}; busy with other work beforehand:`,
    `${Math.round(busyBefore * 100)} %. ${canPin ? 'The service alone on one CPU; callers and Redis share the other.' : 'Nothing is pinned.'} ${connections.toLocaleString('en')} connections; an answer`,
    `counts within ${deadlineMs} ms from the write of the question. Peak ${peak.toLocaleString('en')} a second in time, knee ${knee.toLocaleString('en')}.`,
    '',
    table(heads, phases.map(rowOf)),
    '',
    `${goodput.join('; ')} (aim: ${100 * aims.goodputShare} %). As before again (no p99 of a second over the highest of the seconds before by more than a tenth; aim: ${aims.recoverySeconds} s): ${recoveries.join('; then ')}.`,
    'Sent is less than asked where no connection was free, or where the callers themselves could do no more.',
  ].join('\n');
}
