/** What nobody should ever hand to the core, and what it must still answer: any JSON in place of evidence, or of parts of it. */
import fc from 'fast-check';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    2 ** 60,
    'known',
    [],
    {},
    { state: 'known' },
    { state: 'valid' },
  ),
);

export const junkEvidence = junk as fc.Arbitrary<Evidence>;

/** Evidence in which one part, at any depth, is something else altogether. */
export function spoiled(evidence: Evidence): fc.Arbitrary<Evidence> {
  const places = placesIn(evidence);
  return fc
    .array(fc.record({ place: fc.constantFrom(...places), value: junk }), { minLength: 1, maxLength: 2 })
    .map((changes) => changes.reduce<unknown>((spoilt, { place, value }) => replaced(spoilt, place, value), evidence) as Evidence);
}

/** The zones stay, since every one of them exists; the rest of the question may be anything. */
export function oddQuestion(question: Question): fc.Arbitrary<Question> {
  const places = placesIn(question).filter((place) => place.length > 0 && place[0] !== 'zones');
  return fc
    .array(fc.record({ place: fc.constantFrom(...places), value: junk }), { minLength: 1, maxLength: 2 })
    .map((changes) => changes.reduce<unknown>((odd, { place, value }) => replaced(odd, place, value), question) as Question);
}

type Place = readonly string[];

function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]))];
}

function replaced(value: unknown, place: Place, by: unknown): unknown {
  const [first, ...rest] = place;
  if (first === undefined) return by;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner, index) => (String(index) === first ? replaced(inner, rest, by) : inner));
  return { ...value, [first]: replaced((value as Record<string, unknown>)[first], rest, by) };
}
