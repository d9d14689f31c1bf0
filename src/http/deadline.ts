/** When an answer must be there: what the caller declares, within the policy's bounds, less our own margin. Never unlimited. */
import type { Asking } from '../contract/convert.ts';
import { invalidRequest } from '../contract/problem.ts';
import type { Artefact } from '../decision/artefact.ts';
import type { OwnMargin } from './own-margin.ts';

export const deadlineHeader = 'stepwell-deadline-ms';

export interface Deadline {
  readonly declaredMs: number | null;
  /** From when the request came, within the policy's bounds. */
  readonly budgetMs: number;
  /** Monotonic: the end of the budget, less our own margin. */
  readonly atMs: number;
}

export function deadlineOf(
  asking: Pick<Asking, 'deadlineMs' | 'defaultDeadlineMs'>,
  header: string | string[] | undefined,
  bounds: Artefact['deadline'],
  startedAtMs: number,
  ownMargin: OwnMargin,
): Deadline {
  const declared = [asking.deadlineMs, checkedHeaderMs(header)].filter((ms) => ms !== null);
  const declaredMs = declared.length === 0 ? null : Math.min(...declared);
  const budgetMs = withinBounds(declaredMs ?? asking.defaultDeadlineMs, bounds);
  return { declaredMs, budgetMs, atMs: startedAtMs + Math.max(0, budgetMs - ownMargin.of(budgetMs, startedAtMs)) };
}

/** Whole milliseconds that are left. */
export function remainingMs({ atMs }: Deadline, nowMs: number): number {
  return Math.max(0, Math.floor(atMs - nowMs));
}

/** What the policy makes of a deadline, whoever declared it. */
export function withinBounds(ms: number, { minMs, maxMs }: Artefact['deadline']): number {
  return Math.min(maxMs, Math.max(minMs, ms));
}

/** Milliseconds; null where the header says no whole number of them. */
export function headerMs(header: string | string[] | undefined): number | null {
  return typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : null;
}

function checkedHeaderMs(header: string | string[] | undefined): number | null {
  const ms = headerMs(header);
  if (ms !== null || header === undefined || header === '') return ms;
  throw invalidRequest([{ in: 'header', pointer: '/Stepwell-Deadline-Ms', detail: 'must be a whole number of milliseconds' }]);
}
