/**
 * Works out the classes of a page: which attributes, and which differences in them, its zones can tell apart at the segment tier at one
 * instant, and until when that holds. Where it can be known, visitors who get the same answer are one class, because the core itself is asked
 * for each combination. The work is bounded and comes in pieces, so that whoever does it has time for others in between.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import { decide } from '../decision/decide.ts';
import type { ZoneDecision } from '../decision/decision.ts';
import { edgesOfNow } from '../decision/edges.ts';
import { evaluate } from '../decision/evaluate.ts';
import type { Expression } from '../decision/expression.ts';
import { noEvidence } from '../decision/facts.ts';
import type { Question } from '../decision/question.ts';
import { type PreparedRung, preparedZone, requestFactEntries } from '../decision/reading.ts';
import type { Value } from '../decision/value.ts';
import { type Domain, domainOf, scopeWith } from './domain.ts';
import { audiencesName, type Part, type Parts, partsOf } from './parts.ts';
import type { AttributeTable, AttributeType, ClassTable, DecisionGraph, Reason } from './table.ts';
import { writtenList, writtenValue } from './written.ts';

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

/** What the zones read, before and after. */
export interface AttributeSpace {
  readonly name: string;
  readonly type: AttributeType;
  /** How many values a question may bring, none among them; null: any number. */
  readonly values: number | null;
  /** How many of them the zones can tell apart when they look at nothing else; null: each from every other. */
  readonly classes: number | null;
}

/** Combinations of classes that are asked one by one. */
const combinationsMax = 8192;
/** Values times parts, of one attribute. */
const evaluationsMax = 200_000;
/** Combinations times conditions: a second or so in all. */
const judgementsMax = 1_000_000;
/** Evaluations between two pauses; a combination is a decision, and may be the dearest that a policy allows. */
const piece = 512;

export function* compileClasses(artefact: Artefact, asked: ClassQuestion): Generator<undefined, CompiledClasses> {
  const { page, nowMs } = asked;
  const zones = asked.zones ?? (page === null ? [] : (artefact.pages[page]?.zones ?? []));
  const reading = yield* readingOf(artefact, zones, nowMs);
  const inputs: Input[] = [];
  for (const name of reading.inputs) inputs.push(yield* inputOf(artefact, name, reading.parts, nowMs));
  const why = reasonOf(inputs, reading);
  const base = baseQuery(page, asked.zones);
  const together =
    why === null
      ? yield* mergedAnswers({ artefact, question: { page, zones, nowMs }, base, inputs: inputs as readonly ClassedInput[] })
      : null;
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
export function compileClassesNow(artefact: Artefact, asked: ClassQuestion): CompiledClasses {
  const compiling = compileClasses(artefact, asked);
  let step = compiling.next();
  while (step.done !== true) step = compiling.next();
  return step.value;
}

interface ReadingOfZones {
  readonly inputs: readonly string[];
  readonly parts: Parts;
  /** How many. */
  readonly conditions: number;
  readonly turnsOnTime: boolean;
  readonly nextEdgeMs: number | null;
}

/** What rules and offers of class S0 on segment rungs read now: nothing else of a shared question can change its answer. */
function* readingOf(artefact: Artefact, zones: readonly string[], nowMs: number): Generator<undefined, ReadingOfZones> {
  const prepared = artefact.contextualWithoutSignal ? zones.flatMap((id) => preparedZone(artefact, id)?.rungs ?? []) : [];
  const rungs = prepared.filter(({ rung }) => rung.tier === 'segment');
  const conditions = rungs.flatMap((rung) => conditionsOf(rung, nowMs));
  // Precise places and what scanning a device tells never reach an answer for everybody.
  const isInput = (name: string) => artefact.attributes.request[name]?.specialFeature === undefined;
  const parts = yield* partsOf(conditions, isInput);
  const inputs = new Set([...parts.parts.map(({ input }) => input), ...parts.rawInputs]);
  const entries = rungs.flatMap((rung) => requestFactEntries(rung, nowMs));
  return {
    inputs: [...inputs].sort(),
    parts,
    conditions: conditions.length,
    turnsOnTime: entries.some(({ reads, edgesMs }) => reads.now && edgesMs === null),
    nextEdgeMs: nextEdgeOf(rungs, parts, nowMs),
  };
}

function conditionsOf(rung: PreparedRung, nowMs: number): readonly Expression[] {
  return requestFactEntries(rung, nowMs).flatMap((entry) => {
    if ('rule' in entry) return (entry as PreparedRung['rules'][number]).rule.when ?? [];
    const { offer } = entry as PreparedRung['offers'][number];
    return [...(offer.when === null ? [] : [offer.when]), ...offer.context.map(({ when }) => when)];
  });
}

function nextEdgeOf(rungs: readonly PreparedRung[], { parts }: Parts, nowMs: number): number | null {
  let next = Number.POSITIVE_INFINITY;
  const consider = (edgeMs: number | null): void => {
    if (edgeMs !== null && edgeMs > nowMs && edgeMs < next) next = edgeMs;
  };
  // Of a condition whose edges are not known, those of its parts are.
  for (const { expression } of parts) edgesOfNow(expression)?.forEach(consider);
  for (const rung of rungs) {
    for (const { edgesMs } of requestFactEntries(rung, nowMs)) edgesMs?.forEach(consider);
    for (const { offer } of rung.windowed) [offer.fromMs, offer.untilMs].forEach(consider);
  }
  return Number.isFinite(next) ? next : null;
}

interface ClassedInput {
  readonly name: string;
  readonly type: AttributeType;
  readonly space: AttributeSpace;
  readonly domain: Domain;
  /** By the place of a value in the domain. */
  readonly classOf: readonly number[];
  /** For each class the first value of it; the class of absence is the first. */
  readonly values: readonly (Value | undefined)[];
}

interface RawInput {
  readonly name: string;
  readonly type: AttributeType;
  readonly space: AttributeSpace;
  readonly domain: null;
}

type Input = ClassedInput | RawInput;

function* inputOf(artefact: Artefact, name: string, { parts, rawInputs }: Parts, nowMs: number): Generator<undefined, Input> {
  const declaration = declarationOf(artefact, name);
  const { type } = declaration;
  const own = parts.filter(({ input }) => input === name);
  const domain = rawInputs.has(name) ? null : domainOf(declaration, own, nowMs);
  const values = spaceOf(declaration);
  if (domain === null || domain.values.length * own.length > evaluationsMax)
    return { name, type, domain: null, space: { name, type, values, classes: null } };
  const classes = new Map<string, number>();
  const firsts: (Value | undefined)[] = [];
  const classOf: number[] = [];
  for (const [place, value] of domain.values.entries()) {
    if ((place * own.length) % piece < own.length) yield;
    const signature = signatureOf(name, value, own, nowMs);
    const known = classes.get(signature) ?? classes.size;
    if (known === classes.size) {
      classes.set(signature, known);
      firsts.push(value);
    }
    classOf.push(known);
  }
  return { name, type, domain, classOf, values: firsts, space: { name, type, values, classes: firsts.length } };
}

function declarationOf(artefact: Artefact, name: string): Pick<AttributeDeclaration, 'type' | 'values'> {
  const declared = Object.hasOwn(artefact.attributes.request, name) ? artefact.attributes.request[name] : undefined;
  if (declared !== undefined && name !== audiencesName) return declared;
  return { type: 'strings', values: Object.entries(artefact.audiences).flatMap(([audience, { edge }]) => (edge ? [audience] : [])) };
}

function spaceOf({ type, values }: Pick<AttributeDeclaration, 'type' | 'values'>): number | null {
  if (type === 'bool') return 3;
  if (values === null || type === 'int' || type === 'timestamp') return null;
  return type === 'string' ? values.length + 1 : 2 ** values.length;
}

/** What every part is worth for one value: nothing else of the value can matter. */
function signatureOf(name: string, value: Value | undefined, parts: readonly Part[], nowMs: number): string {
  const scope = scopeWith(name, value, nowMs);
  return JSON.stringify(parts.map(({ expression }) => evaluate(expression, scope)));
}

function reasonOf(inputs: readonly Input[], { turnsOnTime, conditions }: ReadingOfZones): Reason | null {
  if (inputs.some(({ domain }) => domain === null)) return 'reads_raw';
  if (turnsOnTime) return 'reads_the_time';
  const combinations = combinationsOf(inputs as readonly ClassedInput[]);
  return combinations > combinationsMax || combinations * conditions > judgementsMax ? 'too_rich' : null;
}

function combinationsOf(inputs: readonly ClassedInput[]): number {
  return inputs.reduce((product, { values }) => product * values.length, 1);
}

function baseQuery(page: string | null, zones: readonly string[] | null): string {
  return [page === null ? '' : writtenValue('page', page, 'string'), zones === null ? '' : `zones=${writtenList(zones)}`]
    .filter((part) => part !== '')
    .join('&');
}

function separateTable(input: Input): AttributeTable {
  const { name, type } = input;
  if (input.domain === null) return { name, type, raw: true };
  const written = input.values.map((value) => (value === undefined ? '' : writtenValue(name, value, type)));
  return { name, absent: 0, ...input.domain.tableBy((place) => input.classOf[place] ?? 0), written };
}

interface Together {
  readonly artefact: Artefact;
  readonly question: { readonly page: string | null; readonly zones: readonly string[]; readonly nowMs: number };
  readonly base: string;
  readonly inputs: readonly ClassedInput[];
}

interface Merged {
  readonly attributes: readonly AttributeTable[];
  readonly decision: DecisionGraph;
}

function* mergedAnswers({ artefact, question, base, inputs }: Together): Generator<undefined, Merged> {
  const count = combinationsOf(inputs);
  const known = new Map<string, number>();
  const queries: string[] = [];
  const targets: number[] = [];
  for (let index = 0; index < count; index++) {
    yield;
    const values = combination(inputs, index);
    const answer = outcomeOf(decide(artefact, questionOf(question, inputs, values), noEvidence).zones);
    const query = queryOf(base, inputs, values);
    const place = known.get(answer) ?? known.size;
    known.set(answer, place);
    const shortest = queries[place];
    if (shortest === undefined || isShorter(query, shortest)) queries[place] = query;
    targets.push(-1 - place);
  }
  const graph = graphOf(
    targets,
    inputs.map(({ values }) => values.length),
  );
  return mergedColumns(inputs, { ...graph, queries });
}

/** The last input changes fastest. */
function combination(inputs: readonly ClassedInput[], index: number): readonly (Value | undefined)[] {
  let rest = index;
  return inputs
    .toReversed()
    .map(({ values }) => {
      const value = values[rest % values.length];
      rest = Math.floor(rest / values.length);
      return value;
    })
    .reverse();
}

function questionOf(question: Together['question'], inputs: readonly ClassedInput[], values: readonly (Value | undefined)[]): Question {
  const known = inputs.flatMap(({ name }, index) => (values[index] === undefined ? [] : [[name, values[index]] as const]));
  const audiences = known.find(([name]) => name === audiencesName)?.[1];
  const request = Object.fromEntries(known.filter(([name]) => name !== audiencesName)) as Question['request'];
  const shared = { audience: 'shared', shownOffers: [], explain: false } as const;
  return { ...question, ...shared, request, audiences: audiences === undefined ? null : (audiences as readonly string[]) };
}

function queryOf(base: string, inputs: readonly ClassedInput[], values: readonly (Value | undefined)[]): string {
  const parts = inputs.map(({ name, type }, index) => (values[index] === undefined ? '' : writtenValue(name, values[index], type)));
  return [base, ...parts.filter((part) => part !== '')].join('&');
}

function isShorter(query: string, than: string): boolean {
  return query.length < than.length || (query.length === than.length && query < than);
}

/** All of an answer but the key, which names the question, and the content, which follows from the variant. */
function outcomeOf(zones: readonly ZoneDecision[]): string {
  return JSON.stringify(zones.map((zone) => ({ ...zone, content: null, cache: { ...zone.cache, key: null } })));
}

/** From the last input to the first, so that what follows alike is one node, and what makes no difference is none. */
function graphOf(leaves: readonly number[], sizes: readonly number[]): Pick<DecisionGraph, 'start' | 'nodes'> {
  const nodes: number[][] = [];
  const known = new Map<string, number>();
  let level = leaves;
  for (const [attribute, size] of [...sizes.entries()].reverse()) {
    const above: number[] = [];
    for (let from = 0; from < level.length; from += size) {
      const targets = level.slice(from, from + size);
      const [first = -1] = targets;
      if (targets.every((target) => target === first)) {
        above.push(first);
        continue;
      }
      const node = [attribute, ...targets];
      const key = node.join();
      const place = known.get(key) ?? nodes.length;
      if (place === nodes.length) {
        nodes.push(node);
        known.set(key, place);
      }
      above.push(place);
    }
    level = above;
  }
  return { start: level[0] ?? -1, nodes };
}

/** Classes that lead to the same place in every node are one; an attribute that no node asks for is left out. */
function mergedColumns(inputs: readonly ClassedInput[], { start, nodes, queries }: DecisionGraph): Merged {
  const attributes: AttributeTable[] = [];
  const merged = nodes.map((node) => [...node]);
  for (const [attribute, input] of inputs.entries()) {
    const own = nodes.flatMap((node, index) => (node[0] === attribute ? [{ node, index }] : []));
    if (own.length === 0) continue;
    const columns = new Map<string, number>();
    const firsts: number[] = [];
    const classOf = input.values.map((_, one) => {
      const column = own.map(({ node }) => node[one + 1]).join();
      const known = columns.get(column) ?? columns.size;
      if (known === columns.size) {
        columns.set(column, known);
        firsts.push(one);
      }
      return known;
    });
    for (const { node, index } of own) merged[index] = [attributes.length, ...firsts.map((one) => node[one + 1] ?? -1)];
    const tableBy = input.domain.tableBy((place) => classOf[input.classOf[place] ?? 0] ?? 0);
    attributes.push({ name: input.name, absent: classOf[0] ?? 0, ...tableBy });
  }
  return { attributes, decision: { start, nodes: merged, queries } };
}
