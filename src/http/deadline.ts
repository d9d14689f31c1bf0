/** When an answer must be there: what the caller declares, within the policy's bounds, less our own margin. Never unlimited. */
import type { Asking } from '../contract/convert.ts';
import { invalidRequest } from '../contract/problem.ts';
import type { Artefact } from '../decision/artefact.ts';

/** Kept back for writing the answer and for timers that fire late. */
const marginMs = 2;
export const deadlineHeader = 'stepwell-deadline-ms';

export interface Deadline {
  readonly declaredMs: number | null;
  /** Monotonic. */
  readonly atMs: number;
}

export function deadlineOf(
  asking: Pick<Asking, 'deadlineMs' | 'defaultDeadlineMs'>,
  header: string | string[] | undefined,
  { minMs, maxMs }: Artefact['deadline'],
  startedAtMs: number,
): Deadline {
  const declared = [asking.deadlineMs, headerMs(header)].filter((ms) => ms !== null);
  const declaredMs = declared.length === 0 ? null : Math.min(...declared);
  const budgetMs = Math.min(maxMs, Math.max(minMs, declaredMs ?? asking.defaultDeadlineMs));
  return { declaredMs, atMs: startedAtMs + Math.max(0, budgetMs - marginMs) };
}

/** Whole milliseconds that are left. */
export function remainingMs({ atMs }: Deadline, nowMs: number): number {
  return Math.max(0, Math.floor(atMs - nowMs));
}

function headerMs(header: string | string[] | undefined): number | null {
  if (header === undefined || header === '') return null;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw invalidRequest([{ in: 'header', pointer: '/Stepwell-Deadline-Ms', detail: 'must be a whole number of milliseconds' }]);
}
