/**
 * Raises an alarm, once, when an approval expires while the service runs. What it approved is served on: taking an experience
 * away is a decision of the business. It waits on a timer and costs a request nothing.
 */
import type { Artefact } from '../decision/artefact.ts';
import { approvalStanding, approvalsOf, type ZoneApproval } from '../telemetry/approvals.ts';
import type { Clock } from '../time/clock.ts';

export interface ApprovalWatch {
  /** Another policy is in force: its approvals count from now on. */
  follow(artefact: Artefact): void;
  dispose(): void;
}

/** A timer cannot wait for months, and the wall clock may be set meanwhile. */
const lookAgainMs = 3_600_000;

/** What had expired before the policy came into force is not told here: the compiler has said so. */
export function watchApprovals(clock: Clock, onExpired: (approval: ZoneApproval) => void): ApprovalWatch {
  let artefact: Artefact | null = null;
  let lookedAtMs = 0;
  let stop = (): void => {};

  function look(): void {
    if (artefact === null) return;
    const nowMs = clock.nowMs();
    for (const approval of approvalsOf(artefact)) if (approval.untilMs > lookedAtMs && approval.untilMs <= nowMs) onExpired(approval);
    // A clock that is set back must not tell the same expiry twice.
    lookedAtMs = Math.max(lookedAtMs, nowMs);
    arm(artefact, nowMs);
  }

  function arm(followed: Artefact, nowMs: number): void {
    const { nextExpiryMs } = approvalStanding(followed, nowMs);
    stop();
    stop = nextExpiryMs === null ? () => {} : clock.after(Math.min(lookAgainMs, nextExpiryMs - nowMs), look);
  }

  return {
    follow(next) {
      artefact = next;
      lookedAtMs = clock.nowMs();
      arm(next, lookedAtMs);
    },
    dispose() {
      artefact = null;
      stop();
    },
  };
}
