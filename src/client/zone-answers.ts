/** Answers of others, taken for what they are or not at all: a zone that is not whole is as if it had not come. */
import type { Source, ZoneAnswer } from './types.ts';

export type ZoneAnswers = ReadonlyMap<string, ZoneAnswer>;

/** The zones of an answer as the service sends it, by their names. Nothing for whatever is no answer. */
export function zoneAnswers(answer: unknown, source: Source, via: ZoneAnswer['via']): ZoneAnswers {
  const zones = (answer as { readonly zones?: unknown } | null)?.zones;
  const whole = (Array.isArray(zones) ? zones : []).filter(isWhole);
  return new Map(whole.map((zone) => [zone.zone, { ...zone, source, via }]));
}

function isWhole(answer: Partial<ZoneAnswer> | null): answer is ZoneAnswer {
  const { zone, tier, render, variant } = answer ?? {};
  return [zone, tier, render, render === 'suppress' ? '' : variant].every((member) => typeof member === 'string');
}
