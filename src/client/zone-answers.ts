/** Answers of others, taken for what they are or not at all: a zone that is not whole is as if it had not come. */
import type { Source, ZoneAnswer } from './types.ts';

export type ZoneAnswers = readonly ZoneAnswer[];

/** The zones of an answer as the service sends it. None of whatever is no answer. */
export function zoneAnswers(answer: unknown, via: ZoneAnswer['via'], source: Source = 'server'): ZoneAnswers {
  const zones = (answer as { readonly zones?: readonly Partial<ZoneAnswer>[] } | null)?.zones;
  return [zones]
    .flat()
    .filter(isWhole)
    .map((zone) => ({ ...zone, source, via }));
}

function isWhole(answer: Partial<ZoneAnswer> | null | undefined): answer is ZoneAnswer {
  const { zone, tier, render, variant } = answer ?? {};
  return [zone, tier, render, render === 'suppress' ? '' : variant].every((member) => typeof member === 'string');
}
