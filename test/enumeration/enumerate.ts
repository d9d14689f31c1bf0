/** Holds a core against the table over a product of states: no zone above what the table allows, and no other tier, reason or scope. */
import type { Artefact } from '../../src/decision/artefact.ts';
import type { Decision, ZoneDecision } from '../../src/decision/decision.ts';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { tierHeight } from '../../src/decision/vocabulary.ts';
import { evidenceOf, policyOf, questionFor } from './concrete.ts';
import { scattered } from './product.ts';
import type { AbstractZone, Settings, State } from './state.ts';
import { type Expectation, expect, type Judgement, judge } from './table.ts';

export type Core = (artefact: Artefact, question: Question, evidence: Evidence) => Decision;

/** States that all meet the same zones under each of the settings. */
export interface Slice {
  readonly name: string;
  readonly size: number;
  /** Of each factor, how many values: their product is the size. */
  readonly counts: Readonly<Record<string, number>>;
  readonly zones: readonly AbstractZone[];
  readonly settings: readonly Settings[];
  at(index: number): State;
}

export interface Tally {
  states: number;
  decisions: number;
  zones: number;
  escalations: number;
  disagreements: number;
  /** One case of each way to disagree, and how often it was met. */
  readonly ways: Map<string, Disagreement>;
}

export interface Disagreement {
  times: number;
  readonly index: number;
  readonly state: State;
  readonly zone: AbstractZone | null;
  readonly settings: Settings;
  readonly expected: unknown;
  readonly actual: unknown;
}

export function emptyTally(): Tally {
  return { states: 0, decisions: 0, zones: 0, escalations: 0, disagreements: 0, ways: new Map() };
}

export interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly until: number;
  /** Whether these are numbers of a sample, rather than of the states themselves. */
  readonly isSample: boolean;
}

export function indexOf(number: number, { size }: Slice, { isSample }: Range): number {
  return isSample ? scattered(number, size) : number;
}

/** As many ways as a person would read. */
const waysMax = 200;

export interface Prepared {
  readonly slice: Slice;
  readonly policies: readonly { readonly settings: Settings; readonly artefact: Artefact; readonly question: Question }[];
}

export function prepare(slice: Slice): Prepared {
  const policies = slice.settings.map((settings) => ({
    settings,
    artefact: policyOf(slice.zones, settings),
    question: questionFor(slice.zones, settings),
  }));
  return { slice, policies };
}

export function enumerate({ slice, policies }: Prepared, core: Core, range: Range, tally: Tally): void {
  for (let number = range.from; number < range.until; number += 1) {
    const index = indexOf(number, slice, range);
    const state = slice.at(index);
    const evidence = evidenceOf(state);
    const judgement = judge(state);
    tally.states += 1;
    for (const { settings, artefact, question } of policies) {
      const decision = core(artefact, question, evidence);
      tally.decisions += 1;
      tally.zones += slice.zones.length;
      const note = (zone: AbstractZone | null, way: string, expected: unknown, actual: unknown) =>
        noteDisagreement(tally, way, { times: 0, index, state, zone, settings, expected, actual });
      comparePerson(decision, judgement, note);
      for (let at = 0; at < slice.zones.length; at += 1) {
        const zone = slice.zones[at] as AbstractZone;
        const actual = decision.zones[at] as ZoneDecision;
        const expected = expect(zone, state, settings, judgement);
        if (tierHeight(actual.tier) > tierHeight(expected.tier)) tally.escalations += 1;
        if (!isAsExpected(actual, expected)) note(zone, wayOf(actual, expected), expected, shown(actual));
      }
    }
  }
}

function noteDisagreement(tally: Tally, way: string, disagreement: Disagreement): void {
  tally.disagreements += 1;
  const known = tally.ways.get(way);
  if (known !== undefined) known.times += 1;
  else if (tally.ways.size < waysMax) tally.ways.set(way, { ...disagreement, times: 1 });
}

type Note = (zone: AbstractZone | null, way: string, expected: unknown, actual: unknown) => void;

function comparePerson(decision: Decision, judgement: Judgement, note: Note): void {
  const { identity, consent } = decision;
  if (identity.state !== judgement.identity)
    note(null, `identity: ${judgement.identity}, core ${identity.state}`, judgement.identity, identity.state);
  for (const useCase in judgement.consent) {
    const of = useCase as keyof Judgement['consent'];
    const expected = judgement.consent[of];
    if (consent[of] !== expected) note(null, `consent ${useCase}: ${expected}, core ${consent[of]}`, expected, consent[of]);
  }
  if (consent.gpc.honored.join() !== judgement.honored.join()) note(null, 'gpc honored', judgement.honored, consent.gpc);
}

function isAsExpected(actual: ZoneDecision, expected: Expectation): boolean {
  const { downgrade, cache } = actual;
  if (actual.tier !== expected.tier || actual.render !== expected.render) return false;
  if (cache.scope !== expected.scope || cache.degraded !== expected.degraded) return false;
  if (actual.variant !== (expected.render === 'suppress' ? null : `of-${expected.tier}`)) return false;
  const { steps } = expected;
  if (downgrade === null) return steps.length === 0;
  if (downgrade.steps.length !== steps.length || downgrade.reason !== steps[0]?.reason) return false;
  if (downgrade.cause !== expected.cause || downgrade.dependency !== expected.dependency) return false;
  for (let at = 0; at < steps.length; at += 1) {
    const [one, other] = [steps[at], downgrade.steps[at]];
    if (one?.tier !== other?.tier || one?.reason !== other?.reason) return false;
  }
  return true;
}

function shown({ tier, variant, render, downgrade, cache }: ZoneDecision): unknown {
  return { tier, variant, render, downgrade, scope: cache.scope, degraded: cache.degraded };
}

function wayOf(actual: ZoneDecision, expected: Expectation): string {
  const said = (steps: Expectation['steps']) => steps.map(({ tier, reason }) => `${tier} ${reason}`).join(', ');
  const steps = [said(expected.steps), said(actual.downgrade?.steps ?? [])];
  if (actual.tier === expected.tier && steps[0] === steps[1]) {
    const rest = `${expected.render} ${expected.scope} ${expected.degraded} ${expected.dependency} ${expected.cause}`;
    const { render, cache, downgrade } = actual;
    return `${steps[0]}: ${rest}, core ${render} ${cache.scope} ${cache.degraded} ${downgrade?.dependency} ${downgrade?.cause}`;
  }
  return `${expected.tier} (${steps[0]}), core ${actual.tier} (${steps[1]})`;
}
