/**
 * Attributes that a request may only be asked about with an opt-in of their own: precise geolocation, and what scanning a device tells.
 * Without it they are as if they had not been given, whatever tier asks.
 */
import type { Artefact } from './artefact.ts';
import type { Question } from './question.ts';
import type { Value } from './value.ts';

/** For an answer that everybody gets. */
export const nobodyOptedIn: readonly number[] = [];

/** `optedIn`: the special features of the TCF by their numbers. */
export function withoutSpecialFeatures(artefact: Artefact, question: Question, optedIn: readonly number[]): Question {
  const { request } = question;
  const closed = Object.keys(request).filter((name) => {
    const feature = artefact.attributes.request[name]?.specialFeature;
    return feature !== undefined && !optedIn.includes(feature);
  });
  if (closed.length === 0) return question;
  const open: Record<string, Value> = Object.create(null);
  for (const [name, value] of Object.entries(request)) if (!closed.includes(name)) open[name] = value;
  return { ...question, request: open };
}
