/**
 * Stops asking a node that fails, and lets probes find out when it answers again: a decision never pays for finding out. The
 * judgement is cockatiel's; this file is all of the house that knows it.
 *
 * It counts commands and reads no clock: cockatiel's other breakers go by the wall clock, and one that is set back by an hour would
 * keep a breaker open for that hour.
 */
import { CircuitState, CountBreaker, circuitBreaker, handleWhen } from 'cockatiel';

/** Opens when half of the last so many commands failed. */
const failingShare = 0.5;
const judgedCommands = 40;
const judgedCommandsMin = 20;

export interface Breaker {
  readonly isOpen: boolean;
  /** Only while it is not open. */
  run<T>(ask: () => Promise<T>): Promise<T>;
  /** One answered probe closes it; one that fails leaves it open. */
  probe(ask: () => Promise<unknown>): void;
}

export interface BreakerOptions {
  readonly isFault: (error: unknown) => boolean;
  readonly onOpen: () => void;
  readonly onClose: () => void;
}

export function createBreaker({ isFault, onOpen, onClose }: BreakerOptions): Breaker {
  const policy = circuitBreaker(handleWhen(isFault), {
    // Always due: when to probe is the caller's to say.
    halfOpenAfter: Number.NEGATIVE_INFINITY,
    breaker: new CountBreaker({ threshold: failingShare, size: judgedCommands, minimumNumberOfCalls: judgedCommandsMin }),
  });
  policy.onBreak(onOpen);
  policy.onReset(onClose);
  return {
    get isOpen() {
      return policy.state !== CircuitState.Closed;
    },
    run: (ask) => policy.execute(ask),
    probe(ask) {
      if (policy.state === CircuitState.Open) policy.execute(ask).catch(() => {});
    },
  };
}
