/**
 * Which of several eligible offers: priority = propensity × value × context × levers, in integers. Every multiplication by a
 * per-mille factor is followed by a floored division by 1000, so that the answer is the same to the last digit on every engine.
 */
import type { Offer } from './artefact.ts';
import type { Score } from './decision.ts';
import { compareStrings, holds, type Scope } from './evaluate.ts';
import { stableHash } from './hash.ts';

const contextBounds = { min: 1, max: 100_000 };
const leverBounds = { min: 1, max: 10_000 };

export function scoreOf(offer: Offer, propensityPpm: number, scope: Scope): Score {
  const holding: number[] = [];
  for (const { when, perMille } of offer.context) if (holds(when, scope) === 'true') holding.push(perMille);
  return scoreWith(offer, propensityPpm, holding);
}

const propensityPpmMax = 1_000_000;

/**
 * No visitor gives the offer a higher priority: every factor that raises it holds, none that lowers it, and a model that is asked is
 * certain. Multiplying, flooring and clamping all keep order, so leaving a factor of less than 1000 out never makes the product smaller.
 */
export function priorityMax(offer: Offer): number {
  return scoreWith(
    offer,
    offer.fromModel ? propensityPpmMax : offer.propensityPpm,
    offer.context.map(({ perMille }) => Math.max(perMille, 1000)),
  ).priority;
}

function scoreWith(offer: Offer, propensityPpm: number, contextFactors: readonly number[]): Score {
  const contextPerMille = clamp(product(contextFactors), contextBounds);
  const leversPerMille = clamp(1000 + offer.leversPerMille, leverBounds);
  const expected = propensityPpm * offer.value;
  const priority = timesPerMille(timesPerMille(expected, contextPerMille), leversPerMille);
  return { propensityPpm, value: offer.value, contextPerMille, leversPerMille, priority };
}

export interface Contender {
  readonly id: string;
  readonly score: Score;
}

/** The highest priority first; ties by a hash of offer and visitor, then by id, never by the order of the policy. */
export function ranked<T extends Contender>(contenders: readonly T[], seed: string): readonly T[] {
  const hashed = contenders.map((contender) => ({ contender, hash: stableHash(`${contender.id}\n${seed}`) }));
  hashed.sort(
    (a, b) => b.contender.score.priority - a.contender.score.priority || a.hash - b.hash || compareStrings(a.contender.id, b.contender.id),
  );
  return hashed.map(({ contender }) => contender);
}

/** The first of those ranked, without an order of the others: there may be thousands. Undefined where there is none. */
export function foremostOf<T extends Contender>(contenders: readonly T[], seed: string): T | undefined {
  const highest = contenders.reduce((most, { score }) => Math.max(most, score.priority), Number.NEGATIVE_INFINITY);
  let first: T | undefined;
  let firstHash = 0;
  for (const contender of contenders) {
    if (contender.score.priority < highest) continue;
    const hash = stableHash(`${contender.id}\n${seed}`);
    if (first !== undefined && (hash - firstHash || compareStrings(contender.id, first.id)) >= 0) continue;
    first = contender;
    firstHash = hash;
  }
  return first;
}

/** Six factors of at most 100,000 per mille stay below 2^53; a longer chain is multiplied in BigInt. */
const exactFactorsMax = 6;

function product(factors: readonly number[]): number {
  if (factors.length <= exactFactorsMax) return factors.reduce(timesPerMille, 1000);
  return Number(factors.reduce((sofar, perMille) => (sofar * BigInt(perMille)) / 1000n, 1000n));
}

/**
 * floor(amount × perMille ÷ 1000) without passing 2^53: the thousands and the rest are multiplied apart. With the bounds of the
 * policy (10^12 × 10^5 ‰ × 10^4 ‰) every intermediate fits.
 */
export function timesPerMille(amount: number, perMille: number): number {
  const rest = amount % 1000;
  const restProduct = rest * perMille;
  return ((amount - rest) / 1000) * perMille + (restProduct - (restProduct % 1000)) / 1000;
}

function clamp(value: number, { min, max }: { min: number; max: number }): number {
  return Math.min(Math.max(value, min), max);
}
