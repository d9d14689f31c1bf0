/**
 * Reads the policy file again on demand. A good one replaces the old one whole, and a request under way keeps the one it began
 * with; a bad one is told in the log and replaces nothing. Never rejects.
 */
import type { Logger } from 'pino';
import { formatProblem } from '../policy/problems.ts';
import { systemSentence } from './cannot-run.ts';
import type { HeldPolicy, PolicyHolder } from './held-policy.ts';

export interface PolicyReloaderParts {
  readonly holder: PolicyHolder;
  readonly path: string;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Another policy than before is in force. */
  readonly onReplaced: (held: HeldPolicy) => void;
}

export interface PolicyReloader {
  /** One at a time, in the order asked for. Resolves with whether the file is in force now. */
  reload(): Promise<boolean>;
  /** Since the start, whose own load counts as one. */
  readonly loads: { readonly in_force: number; readonly refused: number };
}

/** One mistake may bring many sentences; the first ones are enough to mend it, and `stepwell lint` tells them all. */
const problemsToldMax = 20;

export function createPolicyReloader({ holder, path, logger, onReplaced }: PolicyReloaderParts): PolicyReloader {
  const loads = { in_force: 1, refused: 0 };
  let last: Promise<unknown> = Promise.resolve();

  async function reload(): Promise<boolean> {
    const before = holder.current();
    const isInForce = await load();
    const held = holder.current();
    if (!isInForce || held === null) {
      loads.refused += 1;
      logger.error({ revision: before?.artefact.revision }, 'the policy was not replaced: the last good one stays in force and is stale');
      return false;
    }
    loads.in_force += 1;
    const { policy, revision } = held.artefact;
    logger.info({ policy, revision, replaced: before?.artefact.revision }, 'the policy is in force');
    if (revision !== before?.artefact.revision) onReplaced(held);
    return true;
  }

  async function load(): Promise<boolean> {
    try {
      const { inForce, problems } = await holder.load(path);
      const tell = inForce ? logger.warn.bind(logger) : logger.error.bind(logger);
      for (const problem of problems.slice(0, problemsToldMax)) tell({ code: problem.code }, formatProblem(problem));
      return inForce;
    } catch (error) {
      logger.error({}, `the policy \`${path}\` cannot be read: ${systemSentence(error)}`);
      return false;
    }
  }

  return {
    loads,
    reload() {
      const reloading = last.then(reload);
      last = reloading;
      return reloading;
    },
  };
}
