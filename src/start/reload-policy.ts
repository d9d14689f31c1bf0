/**
 * Reads the policy file again: on demand, or when something says that it may have changed. A good one replaces the old one whole,
 * and a request under way keeps the one it began with; a bad one is told in the log and replaces nothing. Never rejects.
 */
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { formatProblem } from '../policy/problems.ts';
import { systemSentence } from './cannot-run.ts';
import { checksumOf } from './checksum.ts';
import type { HeldPolicy, PolicyHolder, PolicySource } from './held-policy.ts';

export interface PolicyReloaderParts {
  readonly holder: PolicyHolder;
  readonly path: string;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Another policy than before is in force. */
  readonly onReplaced: (held: HeldPolicy) => void;
  /** What the start made of the file, which needs no second telling. Absent: it is in force. */
  readonly atStart?: { readonly given: FileRead | null; readonly inForce: boolean };
  /** Keeps a policy that is in force for the next start. */
  readonly keep?: (source: PolicySource) => Promise<void>;
}

export interface PolicyReloader {
  /** One at a time, and one that waits is enough for all who ask meanwhile. Resolves with whether the file is in force now. */
  reload(): Promise<boolean>;
  /** The same, where the file is not just as it was when it was last read. */
  reloadIfChanged(): Promise<boolean>;
  /** Since the start, whose own load counts as one. */
  readonly loads: { readonly in_force: number; readonly refused: number };
}

/** One mistake may bring many sentences; the first ones are enough to mend it, and `stepwell lint` tells them all. */
const problemsToldMax = 20;

/** What the file was when it was last read. */
interface LastRead {
  readonly trace: string;
  readonly inForce: boolean;
}

export function createPolicyReloader(parts: PolicyReloaderParts): PolicyReloader {
  const { holder, path, logger, onReplaced, keep, atStart = { given: null, inForce: true } } = parts;
  const loads = { in_force: atStart.inForce ? 1 : 0, refused: atStart.inForce ? 0 : 1 };
  let lastRead: LastRead | null = null;

  async function reload(isForced: boolean): Promise<boolean> {
    lastRead ??= atStart.given && { trace: await traceOf(atStart.given), inForce: atStart.inForce };
    const given = await readPolicyFile(path);
    const trace = await traceOf(given);
    if (!isForced && lastRead?.trace === trace) return lastRead.inForce;
    const before = holder.current();
    const inForce = 'error' in given ? cannotBeRead(given.error) : await accept(given);
    lastRead = { trace, inForce };
    tell(before, inForce);
    if (inForce && !('error' in given)) await keep?.(given);
    return inForce;
  }

  /** Whatever goes wrong, the next one is tried. */
  async function reloadOrTell(isForced: boolean): Promise<boolean> {
    try {
      return await reload(isForced);
    } catch (err) {
      logger.error({ err }, `reading the policy \`${path}\` again went wrong`);
      return false;
    }
  }

  function cannotBeRead(error: unknown): false {
    const sentence = `the policy \`${path}\` cannot be read: ${systemSentence(error)}`;
    holder.keepTheOldOne([sentence]);
    logger.error({}, sentence);
    return false;
  }

  async function accept(source: PolicySource): Promise<boolean> {
    try {
      const { inForce, problems } = await holder.accept(source);
      const say = inForce ? logger.warn.bind(logger) : logger.error.bind(logger);
      for (const problem of problems.slice(0, problemsToldMax)) say({ code: problem.code }, formatProblem(problem));
      return inForce;
    } catch (err) {
      logger.error({ err }, `the policy \`${path}\` could not be compiled`);
      return false;
    }
  }

  function tell(before: HeldPolicy | null, inForce: boolean): void {
    const held = holder.current();
    if (!inForce || held === null) {
      loads.refused += 1;
      logger.error({ revision: before?.artefact.revision }, 'the policy was not replaced: the last good one stays in force and is stale');
      return;
    }
    loads.in_force += 1;
    const { policy, revision } = held.artefact;
    logger.info({ policy, revision, replaced: before?.artefact.revision }, 'the policy is in force');
    if (revision === before?.artefact.revision) return;
    logger.info({ policy, revision, replaced: before?.artefact.revision, purge: held.purge }, 'policy_activated');
    onReplaced(held);
  }

  let last: Promise<unknown> = Promise.resolve();
  let waiting: { readonly done: Promise<boolean>; isForced: boolean } | null = null;

  function afterTheLast(isForced: boolean): Promise<boolean> {
    if (waiting !== null) {
      waiting.isForced ||= isForced;
      return waiting.done;
    }
    const done: Promise<boolean> = last.then(() => {
      const { isForced: mustRead } = mine;
      waiting = null;
      return reloadOrTell(mustRead);
    });
    const mine = { isForced, done };
    waiting = mine;
    last = done;
    return done;
  }

  return { loads, reload: () => afterTheLast(true), reloadIfChanged: () => afterTheLast(false) };
}

/** A file as it is now, or why it cannot be read. */
export type FileRead = PolicySource | { readonly error: unknown };

export async function readPolicyFile(path: string): Promise<FileRead> {
  try {
    return { file: path, bytes: await readFile(path) };
  } catch (error) {
    return { error };
  }
}

async function traceOf(given: FileRead): Promise<string> {
  return 'error' in given ? systemSentence(given.error) : checksumOf(given.bytes);
}
