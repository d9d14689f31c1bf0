/**
 * Works out the classes of a page: which attributes, and which differences in them, its zones can tell apart at the segment tier at one
 * instant, and until when that holds. Where it can be known, visitors who get the same answer are one class, because the core itself is asked
 * for each combination. The work is bounded and comes in pieces, so that whoever does it has time for others in between.
 */
import type { Artefact } from '../decision/artefact.ts';
import { atOnce } from '../decision/at-once.ts';
import { edgesOfNow } from '../decision/edges.ts';
import { type PreparedRung, preparedZone, requestFactEntries } from '../decision/reading.ts';
import { combinationsOf, mergedAnswers, unfoldedAnswers } from './graph.ts';
import { type AttributeSpace, type ClassedInput, type Input, inputOf, separateTable } from './inputs.ts';
import { type Parts, partsOf } from './parts.ts';
import { evaluationWork } from './steps.ts';
import { type ClassTable, mergingReasons, type Reason } from './table.ts';
import { writtenList, writtenValue } from './written.ts';

export type { AttributeSpace } from './inputs.ts';

/** What is asked: a page, zones, or both, and when. */
export interface ClassQuestion {
  readonly page: string | null;
  /** Null: those of the page. */
  readonly zones: readonly string[] | null;
  readonly nowMs: number;
}

export interface CompiledClasses {
  readonly table: ClassTable;
  readonly validUntilMs: number | null;
  readonly attributes: readonly AttributeSpace[];
  /** Null where what they come to together is not known. */
  readonly answers: number | null;
}

interface Bounds {
  /** Combinations of classes that are asked one by one. */
  readonly combinations: number;
  /** Combinations times what it takes to evaluate each condition once: a second or so in all. */
  readonly judgements: number;
}

const defaultBounds: Bounds = { combinations: 8192, judgements: 1_000_000 };

export function* compileClasses(artefact: Artefact, asked: ClassQuestion, bounds = defaultBounds): Generator<undefined, CompiledClasses> {
  const { page, nowMs } = asked;
  const zones = asked.zones ?? (page === null ? [] : (artefact.pages[page]?.zones ?? []));
  const reading = yield* readingOf(artefact, zones, nowMs);
  const inputs: Input[] = [];
  for (const name of reading.inputs) inputs.push(yield* inputOf(artefact, name, reading.parts, nowMs));
  const base = baseQuery(page, asked.zones);
  const merged =
    reasonOf(inputs, reading) ?? (yield* togetherOf({ artefact, question: { page, zones, nowMs }, base, inputs }, reading, bounds));
  const [together, why] = typeof merged === 'string' ? [null, merged] : [merged, null];
  const validUntilMs = reading.nextEdgeMs;
  const table: ClassTable = {
    format: 1,
    policy: { id: artefact.policy, revision: artefact.revision },
    page,
    zones: asked.zones,
    validUntil: validUntilMs === null ? null : new Date(validUntilMs).toISOString(),
    merging: together === null ? 'attributes' : 'answers',
    because: why,
    query: base,
    attributes: together?.attributes ?? inputs.filter(({ space }) => space.classes !== 1).map(separateTable),
    decision: together?.decision ?? null,
  };
  const answers = together?.decision.queries.length ?? null;
  return { table, validUntilMs, attributes: inputs.map(({ space }) => space), answers };
}

/** All at once, for whoever has nothing else to do. */
export function compileClassesNow(artefact: Artefact, asked: ClassQuestion, bounds = defaultBounds): CompiledClasses {
  return atOnce(compileClasses(artefact, asked, bounds));
}

interface ReadingOfZones {
  readonly inputs: readonly string[];
  readonly parts: Parts;
  /** Of segments. */
  readonly rungs: readonly PreparedRung[];
  /** What it takes to evaluate each condition once. */
  readonly work: number;
  readonly turnsOnTime: boolean;
  readonly nextEdgeMs: number | null;
}

/** What rules and offers of class S0 on segment rungs read now: nothing else of a shared question can change its answer. */
function* readingOf(artefact: Artefact, zones: readonly string[], nowMs: number): Generator<undefined, ReadingOfZones> {
  const prepared = artefact.contextualWithoutSignal ? zones.flatMap((id) => preparedZone(artefact, id)?.rungs ?? []) : [];
  const rungs = prepared.filter(({ rung }) => rung.tier === 'segment');
  const entries: RequestFactEntry[] = [];
  for (const rung of rungs) {
    yield;
    for (const entry of requestFactEntries(rung, nowMs)) entries.push(entry);
  }
  const conditions = entries.flatMap((entry) => entry.conditions);
  // Precise places and what scanning a device tells never reach an answer for everybody.
  const isInput = (name: string) => artefact.attributes.request[name]?.specialFeature === undefined;
  const parts = yield* partsOf(conditions, isInput);
  const inputs = new Set([...parts.parts.map(({ input }) => input), ...parts.rawInputs]);
  return {
    inputs: [...inputs].sort(),
    parts,
    rungs,
    work: conditions.reduce((sum, condition) => sum + evaluationWork(condition), 0),
    turnsOnTime: entries.some(({ reads, edgesMs }) => reads.now && edgesMs === null),
    nextEdgeMs: nextEdgeOf({ rungs, entries, parts }, nowMs),
  };
}

type RequestFactEntry = ReturnType<typeof requestFactEntries>[number];

interface Edged {
  readonly rungs: readonly PreparedRung[];
  readonly entries: readonly RequestFactEntry[];
  readonly parts: Parts;
}

function nextEdgeOf({ rungs, entries, parts }: Edged, nowMs: number): number | null {
  let next = Number.POSITIVE_INFINITY;
  const consider = (edgeMs: number | null): void => {
    if (edgeMs !== null && edgeMs > nowMs && edgeMs < next) next = edgeMs;
  };
  // Of a condition whose edges are not known, those of its parts are.
  for (const { expression } of parts.parts) edgesOfNow(expression)?.forEach(consider);
  for (const { edgesMs } of entries) edgesMs?.forEach(consider);
  for (const rung of rungs) {
    for (const { sensitivity, offer } of rung.windowed) if (sensitivity.class === 'S0') [offer.fromMs, offer.untilMs].forEach(consider);
  }
  return Number.isFinite(next) ? next : null;
}

/** Why no table can tell what they come to together. */
function reasonOf(inputs: readonly Input[], { turnsOnTime }: ReadingOfZones): Reason | null {
  const raw = inputs.flatMap((input) => (input.domain === null && input.members === null ? [input.because] : []));
  return mergingReasons.find((reason) => raw.some((because) => because === reason)) ?? (turnsOnTime ? 'reads_the_time' : null);
}

function togetherOf(
  together: { readonly artefact: Artefact; readonly question: TogetherQuestion; readonly base: string; readonly inputs: readonly Input[] },
  { work, rungs }: ReadingOfZones,
  bounds: Bounds,
) {
  const { inputs } = together;
  const classed = inputs.filter((input): input is Input & ClassedInput => input.domain !== null);
  const combinations = combinationsOf(classed);
  const areFew = classed.length === inputs.length && combinations <= bounds.combinations && combinations * work <= bounds.judgements;
  return areFew ? mergedAnswers({ ...together, inputs: classed }) : unfoldedAnswers(together, rungs);
}

type TogetherQuestion = ClassQuestion & { readonly zones: readonly string[] };

function baseQuery(page: string | null, zones: readonly string[] | null): string {
  return [page === null ? '' : writtenValue('page', page, 'string'), zones === null ? '' : `zones=${writtenList(zones)}`]
    .filter((part) => part !== '')
    .join('&');
}
