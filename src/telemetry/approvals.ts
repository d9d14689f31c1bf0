/** How the approvals of a policy stand at an instant: what the metrics, the status page and the log say of them. */
import type { Artefact } from '../decision/artefact.ts';
import type { Tier } from '../decision/vocabulary.ts';

export interface ZoneApproval {
  readonly zone: string;
  readonly tier: Tier;
  readonly untilMs: number;
}

export interface ApprovalStanding {
  readonly expired: number;
  /** Null: none will expire that has not. */
  readonly nextExpiryMs: number | null;
}

export function approvalsOf({ zones }: Pick<Artefact, 'zones'>): readonly ZoneApproval[] {
  return Object.entries(zones).flatMap(([zone, { ladder }]) =>
    ladder.flatMap(({ tier, approved }) => (approved === null ? [] : [{ zone, tier, untilMs: approved.untilMs }])),
  );
}

/** As the compiler has it: at `until` an approval has expired. */
export function approvalStanding(artefact: Pick<Artefact, 'zones'>, nowMs: number): ApprovalStanding {
  let expired = 0;
  let nextExpiryMs: number | null = null;
  for (const { untilMs } of approvalsOf(artefact)) {
    if (untilMs <= nowMs) expired += 1;
    else if (nextExpiryMs === null || untilMs < nextExpiryMs) nextExpiryMs = untilMs;
  }
  return { expired, nextExpiryMs };
}
