/**
 * Writes an answer as JSON. Much of it was said before: what a variant holds, why a rung was passed over, how far an answer may be
 * cached. Such texts are made once for each object and kept as long as the object lives. The bytes are those of `JSON.stringify`.
 */
import type { CacheAnswer, Candidate, Explanation, ZoneDecision } from '../decision/decision.ts';

/** An object with the zones as its last member. */
export function answerText(envelope: object, zones: readonly ZoneDecision[]): string {
  const head = JSON.stringify(envelope);
  let text = '';
  for (const zone of zones) text += text === '' ? zoneText(zone) : `,${zoneText(zone)}`;
  return `${head.slice(0, -1)}${head === '{}' ? '' : ','}"zones":[${text}]}`;
}

/** INVARIANT: every member of a zone, in its order; a test holds this against `JSON.stringify`. */
export function zoneText(zone: ZoneDecision): string {
  const { tier, intendedTier, content, render, downgrade, cache, holdout, propensityPpm, explain } = zone;
  const explained = explain === undefined ? '' : `,"explain":${JSON.stringify(toldExplanation(explain))}`;
  const place = `{"zone":${nameText(zone.zone)},"tier":"${tier}","intendedTier":"${intendedTier}","variant":${nameText(zone.variant)}`;
  const shown = `,"offer":${nameText(zone.offer)},"content":${knownText(content)},"render":"${render}"`;
  const reach = `,"downgrade":${knownText(downgrade)},"cache":${cacheText(cache)}`;
  return `${place}${shown}${reach},"holdout":${nameText(holdout)},"propensityPpm":${propensityPpm}${explained}}`;
}

/** More would make answers of megabytes, and nobody reads them. */
export const explainedCandidatesMax = 256;

/** Of thousands of candidates those are told that came nearest. */
function toldExplanation(explain: Explanation): object {
  const { rungs, candidates, facts } = explain;
  if (candidates.length <= explainedCandidatesMax) return explain;
  const told = candidates.toSorted((a, b) => distance(a) - distance(b)).slice(0, explainedCandidatesMax);
  return { rungs, candidates: told, candidatesOmitted: candidates.length - told.length, facts };
}

/** From being chosen; those that were outranked keep their ranks. */
function distance({ lost, score }: Candidate): number {
  if (lost === null) return 0;
  if (lost === 'lower_priority') return 1;
  return score === null ? 3 : 2;
}

/** Only the answers that carry no key are shared objects. */
function cacheText(cache: CacheAnswer): string {
  return cache.key === null ? knownText(cache) : JSON.stringify(cache);
}

/** Of objects that never change. */
const texts = new WeakMap<object, string>();

export function knownText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = texts.get(value);
  if (text === undefined) {
    text = JSON.stringify(value);
    texts.set(value, text);
  }
  return text;
}

/** Names come from policies, so there are few; a policy that is loaded again has much the same ones. */
const nameTexts = new Map<string, string>();
const nameTextsMax = 100_000;

function nameText(name: string | null): string {
  if (name === null) return 'null';
  let text = nameTexts.get(name);
  if (text === undefined) {
    if (nameTexts.size >= nameTextsMax) nameTexts.clear();
    text = JSON.stringify(name);
    nameTexts.set(name, text);
  }
  return text;
}
