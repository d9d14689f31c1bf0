/**
 * A condition as the policy writes it: its text lowered, its problems placed in the document, and what it reads followed to the
 * sensitivity of everything it reads.
 */
import type { Reads, Sensitivity } from '../decision/artefact.ts';
import { evaluate } from '../decision/evaluate.ts';
import { attributeSources, type Expression } from '../decision/expression.ts';
import { type Tier, tierHeight } from '../decision/vocabulary.ts';
import { lowerWhen } from './cel/lower.ts';
import { type Environment, noUses, type Uses } from './cel/lowering.ts';
import type { Node } from './document.ts';
import type { Report } from './problems.ts';
import { readTextScalar } from './read.ts';
import { placeInScalar } from './scalar-place.ts';
import { harmless, highest } from './sensitivity.ts';

/** What conditions may name. */
export interface Declarations extends Environment {
  /** Whether audiences have a source of their own, and do not come with the profile. */
  readonly audiencesComeApart: boolean;
}

export interface Condition {
  /** Null when the text was refused; the report says why. */
  readonly expression: Expression | null;
  readonly uses: Uses;
  /** The truth it has whatever is known; null when that depends. */
  readonly constant: boolean | null;
  readonly at: number;
}

/** Reads the condition of a field; undefined when the node is no text at all. */
export function readCondition(report: Report, text: string, declarations: Declarations, node: Node, what: string): Condition | undefined {
  const scalar = readTextScalar(report, node, what);
  if (scalar === undefined) return undefined;
  const lowered = lowerWhen(scalar.value, declarations);
  for (const problem of lowered.problems) {
    report.error(problem.code, placeInScalar(text, scalar, problem.offset), `in ${what}, ${problem.message}`);
  }
  for (const lint of lowered.lints) {
    report.warning(lint.code, placeInScalar(text, scalar, lint.offset), `in ${what}, ${lint.message}`);
  }
  const expression = lowered.typed?.expression ?? null;
  return { expression, uses: lowered.uses, constant: expression && constantOf(expression), at: scalar.at };
}

/** A condition that is decided while nothing at all is known is decided for everybody. */
function constantOf(expression: Expression): boolean | null {
  const nothingKnown = {
    request: undefined,
    session: undefined,
    profile: undefined,
    device: undefined,
    audiences: undefined,
    audiencesOpen: true,
    nowMs: Number.NaN,
  };
  const value = evaluate(expression, nothingKnown);
  return typeof value === 'boolean' ? value : null;
}

export function warnIfConstant(report: Report, condition: Condition, what: string): void {
  if (condition.constant === null) return;
  const advice = condition.constant ? 'leave `when` out to say so' : 'remove it, or compare with something that can hold';
  report.warning('condition-constant', condition.at, `${what} is always ${condition.constant}: ${advice}`);
}

export function allUses(conditions: readonly (Condition | undefined)[]): Uses {
  const all = noUses();
  for (const condition of conditions) {
    if (condition === undefined) continue;
    for (const source of attributeSources) for (const name of condition.uses.attributes[source]) all.attributes[source].add(name);
    for (const name of condition.uses.audiences) all.audiences.add(name);
    all.everyAudience ||= condition.uses.everyAudience;
    all.now ||= condition.uses.now;
  }
  return all;
}

export function readsOf(uses: Uses, declarations: Declarations): Reads {
  const audiences = audiencesRead(uses, declarations);
  const readsMemberships = audiences.some((name) => declarations.audiences.get(name)?.edge === false);
  return {
    request: [...uses.attributes.request].sort(),
    session: uses.attributes.session.size > 0,
    profile: uses.attributes.profile.size > 0 || (readsMemberships && !declarations.audiencesComeApart),
    audience: readsMemberships && declarations.audiencesComeApart,
    model: false,
    audiences: uses.everyAudience || audiences.length > 0,
    now: uses.now,
    ...(uses.attributes.device.size > 0 ? { device: true } : {}),
  };
}

/** The list as a whole can tell of every audience there is. */
function audiencesRead(uses: Uses, declarations: Declarations): readonly string[] {
  return uses.everyAudience ? [...declarations.audiences.keys()] : [...uses.audiences];
}

/** The highest class of everything the uses read. */
export function sensitivityOf(uses: Uses, declarations: Declarations): Sensitivity {
  const attributes = attributeSources.flatMap((source) =>
    [...uses.attributes[source]].map((name) => declarations.attributes[source].get(name)),
  );
  const audiences = audiencesRead(uses, declarations).map((name) => declarations.audiences.get(name));
  return highest([...attributes, ...audiences].map((declaration) => declaration?.sensitivity ?? harmless));
}

/** The lowest tier whose rung may read all of it. */
export function lowestTierOf(reads: Reads): Tier {
  if (reads.profile || reads.audience || reads.model) return 'user';
  return reads.session || reads.device !== undefined ? 'session' : 'segment';
}

/** What of it a rung of this tier may not read, in words; empty when all is allowed. */
export function readBeyond(tier: Tier, uses: Uses, declarations: Declarations): readonly string[] {
  const beyond: string[] = [];
  if (tierHeight(tier) < tierHeight('user')) beyond.push(...personalReads(uses, declarations));
  if (tierHeight(tier) < tierHeight('session')) beyond.push(...[...uses.attributes.session].map((name) => `session.${name}`));
  if (tier !== 'session') beyond.push(...deviceSignals(uses));
  return beyond;
}

/** What of it a device does not have, in words. */
export function beyondDevice(uses: Uses, declarations: Declarations): readonly string[] {
  return [...[...uses.attributes.session].map((name) => `session.${name}`), ...personalReads(uses, declarations)];
}

/** What of it only a device knows, in words. */
export function deviceSignals(uses: Uses): readonly string[] {
  return [...uses.attributes.device].map((name) => `device.${name}`);
}

function personalReads(uses: Uses, declarations: Declarations): readonly string[] {
  const memberships = audiencesRead(uses, declarations).filter((name) => declarations.audiences.get(name)?.edge === false);
  return [...[...uses.attributes.profile].map((name) => `profile.${name}`), ...memberships.map((name) => `"${name}" in audiences`)];
}
