/**
 * How claims are tried: a document is drawn and compiled once, and many questions with their evidence are then decided by it. What
 * breaks a claim is shrunk and printed with the one command that repeats it. `FC_SEED` replays a run, `STEPWELL_TEST_RUNS`
 * multiplies the number of cases.
 */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { policyDocument } from '../generate/document.ts';
import type { Ask, Decide } from './checks.ts';
import { coreDecide, coreNeeds } from './core.ts';
import { type PolicyDocument, toPolicyText } from './document.ts';
import { minimised } from './minimise.ts';

/** What is held to a claim: the core itself, or one with a planted fault. */
export interface Core {
  readonly decide: Decide;
  readonly needs: Ask;
}

const theCore: Core = { decide: coreDecide, needs: coreNeeds };

export interface Claim<T> {
  readonly says: string;
  /** Questions about one document, with whatever else the claim is about. */
  over(document: PolicyDocument): fc.Arbitrary<T>;
  /** Throws when the claim is broken; answers how often it found what the claim is about. */
  check(core: Core, document: PolicyDocument, drawn: T): number;
}

export const seed = process.env.FC_SEED === undefined ? Date.now() % 2 ** 31 : Number(process.env.FC_SEED);
const factor = Number(process.env.STEPWELL_TEST_RUNS ?? 1);
/** Somebody asked for more cases than a short run has. */
export const isMultiplied = factor > 1;

export const casesPerClaim = 2000;
const casesToFindFault = 20_000;
/** Few, so that a short run still sees many documents. */
const casesPerDocument = 10;
/** Many, because a document costs about as much as hundreds of decisions. */
export const longCasesPerDocument = 500;
/** Any would do; a fixed one, so that a fault that is found once is found always. */
const faultSeed = 20_261_121;

export function saySeed(): void {
  console.log(`claims about generated cases: seed ${seed}, replay with FC_SEED=${seed}`);
}

/** Holds for every case tried, or throws with the smallest case found. Answers how often the claim found what it is about. */
export function holdsFor<T>(claim: Claim<T>, each = casesPerDocument): number {
  let found = 0;
  for (const { index, cases } of shares(Math.max(1, Math.round(casesPerClaim * factor)), each)) {
    const tried = tryOn(claim, { seed, index, cases });
    if (tried.broken !== null) throw new Error(tried.broken);
    found += tried.found;
  }
  return found;
}

/** Whether some case breaks the claim: what a planted fault must do to it. Never shrinks, always the same cases. */
export function isBrokenBy<T>(claim: Claim<T>, faults: Partial<Core>): boolean {
  const faulty = { ...theCore, ...faults };
  return [...shares(casesToFindFault, casesPerDocument)].some(({ index, cases }) => {
    const document = documentAt(claim, faultSeed, index);
    const property = fc.property(fc.noBias(claim.over(document)), (drawn) => void claim.check(faulty, document, drawn));
    return fc.check(property, { seed: seedOf(faultSeed, index), numRuns: cases, endOnFailure: true }).failed;
  });
}

interface Trial {
  readonly seed: number;
  /** Which of the documents that the seed gives. */
  readonly index: number;
  readonly cases: number;
}

/** Tries the claim on one document. `broken`: what to print. */
export function tryOn<T>(claim: Claim<T>, trial: Trial): { readonly found: number; readonly broken: string | null } {
  const document = documentAt(claim, trial.seed, trial.index);
  let found = 0;
  const property = fc.property(fc.noBias(claim.over(document)), (drawn) => {
    found += claim.check(theCore, document, drawn);
  });
  const result = fc.check(property, { seed: seedOf(trial.seed, trial.index), numRuns: trial.cases });
  return { found, broken: result.failed ? reportOf(claim, trial, document, result) : null };
}

const replayScript = relative(process.cwd(), fileURLToPath(new URL('./replay.ts', import.meta.url)));

function reportOf<T>(claim: Claim<T>, { seed: drawnFrom, index }: Trial, document: PolicyDocument, result: fc.RunDetails<[T]>): string {
  const seen = result.errorInstance;
  const [drawn] = result.counterexample ?? [];
  const smallest = drawn === undefined ? document : minimised(document, drawn, (simpler) => breaks(claim, simpler, drawn, seen));
  return [
    `broken: ${claim.says}`,
    `seed ${drawnFrom}, document ${index}; repeat with: node ${replayScript} ${drawnFrom} ${index} '${claim.says}'`,
    `what was seen: ${seen instanceof Error ? seen.message : String(seen)}`,
    `what was asked: ${fc.stringify(drawn)}`,
    `the policy, as small as it still breaks: ${toPolicyText(smallest)}`,
  ].join('\n');
}

/** In the same manner: a document that cannot be decided by at all is no smaller example. */
function breaks<T>(claim: Claim<T>, document: PolicyDocument, drawn: T, like: unknown): boolean {
  try {
    claim.check(theCore, document, drawn);
    return false;
  } catch (error) {
    return error instanceof Error && like instanceof Error && error.name === like.name;
  }
}

export function* shares(cases: number, each: number): Generator<{ readonly index: number; readonly cases: number }> {
  for (let index = 0; index * each < cases; index += 1) yield { index, cases: Math.min(each, cases - index * each) };
}

/** Documents are drawn a sheaf at a time: the first few of a seed are simpler than most. */
const documentsPerSheaf = 100;
let sheaf: { readonly key: string; readonly documents: readonly PolicyDocument[] } = { key: '', documents: [] };

/** Every claim has documents of its own. */
function documentAt({ says }: { readonly says: string }, from: number, index: number): PolicyDocument {
  const number = Math.floor(index / documentsPerSheaf);
  const key = `${says}, ${from}, ${number}`;
  if (sheaf.key !== key)
    sheaf = { key, documents: fc.sample(fc.noBias(policyDocument), { seed: hashOf(key), numRuns: documentsPerSheaf }) };
  return sheaf.documents[index % documentsPerSheaf] as PolicyDocument;
}

function seedOf(from: number, index: number): number {
  return hashOf(`${from}, ${index}`);
}

/** FNV-1a: near seeds must not give near cases. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193);
  return hash | 0;
}
