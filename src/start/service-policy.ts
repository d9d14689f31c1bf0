/**
 * The policy of a running service, from its start to its end: read from its file, or from the last good one where that does not
 * load, and read again when the file changes or somebody says so.
 */
import type { Logger } from 'pino';
import { formatProblem } from '../policy/problems.ts';
import { approvalStanding } from '../telemetry/approvals.ts';
import type { Clock } from '../time/clock.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';
import { createApartCompiler } from './compile-apart.ts';
import {
  type Compile,
  compileHere,
  createPolicyHolder,
  type HeldPolicy,
  type OpenSources,
  type PolicyHolder,
  type PolicySource,
} from './held-policy.ts';
import { lastGoodPolicyName, readLastGoodPolicy, saveLastGoodPolicy } from './last-good-policy.ts';
import { watchFile } from './policy-watch.ts';
import { createPolicyReloader, type FileRead, type PolicyReloader, readPolicyFile } from './reload-policy.ts';

export interface ServicePolicyParts {
  readonly path: string;
  /** Where the last good policy is kept; null: nowhere. */
  readonly keptIn: string | null;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Absent: a policy's HTTP sources are not opened, and fail. */
  readonly openSources?: OpenSources;
  /** Another policy than before is in force. */
  readonly onReplaced: (held: HeldPolicy) => void;
}

/**
 * Somebody says elsewhere that there is a new policy. Only that it is there: what it says is read from the file. Calls back for each
 * word of a new policy, and whenever one may have been missed. Returns its `dispose`.
 */
export type OnPolicyPublished = (callback: () => void) => () => void;

export interface ServicePolicy extends Pick<PolicyReloader, 'reload' | 'loads'> {
  current(): HeldPolicy;
  /** From now on a change of the file is a new policy, told of or not, and the one in force is kept for the next start. */
  follow(onPolicyPublished?: OnPolicyPublished | null): void;
  /** Reads no more; what is under way is given up, but for a policy that is being kept. */
  dispose(): Promise<void>;
}

/** What compiles in a few milliseconds is not worth starting a thread for while nobody waits for decisions yet. */
const smallBytes = 128 * 1024;

/** Rejects with `CannotRun` where neither the file nor what was kept makes a policy. */
export async function openServicePolicy(parts: ServicePolicyParts): Promise<ServicePolicy> {
  const { path, clock, logger, onReplaced } = parts;
  const apart = createApartCompiler(clock);
  let isServing = false;
  const compile: Compile = (bytes, options) =>
    isServing || bytes.length > smallBytes ? apart.compile(bytes, options) : compileHere(bytes, options);
  const holder = createPolicyHolder(clock, compile, parts.openSources);
  const first = await load(holder, path);
  if (!first.inForce) await fallBack(holder, first, parts);
  else for (const sentence of first.sentences) logger.warn({}, sentence);
  isServing = true;

  let keeping: Promise<void> = Promise.resolve();
  const keep = (source: PolicySource): Promise<void> => {
    keeping = keeping.then(() => keepPolicy(source, parts));
    return keeping;
  };
  const reloader = createPolicyReloader({ holder, path, logger, onReplaced, atStart: first, keep });
  const endings: (() => void)[] = [apart.dispose];
  return {
    current: () => inForceOf(holder),
    reload: reloader.reload,
    loads: reloader.loads,
    follow(onPolicyPublished) {
      const check = (): void => void reloader.reloadIfChanged();
      endings.push(watchFile({ path, clock, onChange: check }), onPolicyPublished?.(check) ?? (() => {}));
      if (first.inForce && !('error' in first.given)) void keep(first.given);
    },
    async dispose() {
      for (const end of endings) end();
      await keeping;
    },
  };
}

interface FirstLoading {
  readonly given: FileRead;
  readonly inForce: boolean;
  /** Warnings where it is in force, and else why it is not. */
  readonly sentences: readonly string[];
}

async function load(holder: PolicyHolder, path: string): Promise<FirstLoading> {
  const given = await readPolicyFile(path);
  if ('error' in given)
    return { given, inForce: false, sentences: [`the policy \`${path}\` cannot be read: ${systemSentence(given.error)}`] };
  const { inForce, problems } = await holder.accept(given);
  const sentences = problems.map(formatProblem);
  return { given, inForce, sentences: inForce ? sentences : ['the policy does not load', ...sentences] };
}

/** One mistake may bring many sentences; a person who starts a service in vain gets all of them, a log the first. */
const sentencesToldMax = 20;

async function fallBack(holder: PolicyHolder, { sentences }: FirstLoading, { keptIn, clock, logger }: ServicePolicyParts): Promise<void> {
  const why = keptIn === null ? null : await useLastGood({ holder, keptIn, logger, refused: sentences });
  const held = holder.current();
  if (held === null) throw new CannotRun([...sentences, ...(why === null ? [] : [why])].join('\n'));
  for (const sentence of sentences.slice(0, sentencesToldMax)) logger.error({}, sentence);
  const { policy, revision } = held.artefact;
  logger.error({ policy, revision }, 'the last good policy is in force instead and is stale');
  const { expired } = approvalStanding(held.artefact, clock.nowMs());
  if (expired > 0) logger.warn({ expired }, 'approvals of the last good policy have expired; what they approved is served on');
}

interface Fallback {
  readonly holder: PolicyHolder;
  readonly keptIn: string;
  readonly logger: ServicePolicyParts['logger'];
  /** Why the file is not in force. */
  readonly refused: readonly string[];
}

/** Why it could not be used, or null where it is in force or there is none. */
async function useLastGood({ holder, keptIn, logger, refused }: Fallback): Promise<string | null> {
  const what = `the last good policy, \`${lastGoodPolicyName}\` in \`${keptIn}\`,`;
  try {
    const reading = await readLastGoodPolicy(keptIn);
    if (reading.state === 'none') return null;
    if (reading.state === 'damaged') return `${what} is damaged and is not used`;
    const { policy } = reading;
    const { inForce, problems } = await holder.fallBackTo(policy, policy.acceptedAtMs, refused);
    if (!inForce) return [`${what} does not load either`, ...problems.map(formatProblem)].join('\n');
    logger.warn({ acceptedAt: new Date(policy.acceptedAtMs).toISOString(), file: policy.file }, 'the last good policy was kept');
    return null;
  } catch (error) {
    return `${what} cannot be read: ${systemSentence(error)}`;
  }
}

/** A disk that takes nothing is a worry for the next start, and none for this one. */
async function keepPolicy(source: PolicySource, { keptIn, clock, logger }: ServicePolicyParts): Promise<void> {
  if (keptIn === null) return;
  try {
    if (await isKept(source, keptIn)) return;
    await saveLastGoodPolicy(keptIn, { ...source, acceptedAtMs: clock.nowMs() });
  } catch (error) {
    logger.warn({}, `the policy cannot be kept for the next start in \`${keptIn}\`: ${systemSentence(error)}`);
  }
}

/** Where the same is there already, the disk is left alone; its approvals held then as they hold now. */
async function isKept({ file, bytes }: PolicySource, keptIn: string): Promise<boolean> {
  const reading = await readLastGoodPolicy(keptIn);
  return reading.state === 'found' && reading.policy.file === file && Buffer.compare(reading.policy.bytes, bytes) === 0;
}

function inForceOf(holder: PolicyHolder): HeldPolicy {
  const held = holder.current();
  if (held === null) throw new Error('a service that was opened has a policy');
  return held;
}
