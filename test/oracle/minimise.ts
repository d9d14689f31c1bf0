/** A document with everything taken away that a broken claim can do without, so that a person can read what is left. */
import { loads } from './core.ts';
import { type Condition, type PolicyDocument, when } from './document.ts';

/** Each attempt compiles a document: a bound on how long a failure takes to be told. */
const attemptsMax = 4000;

/** `isBroken` is asked only about documents that load and have every zone that `drawn` names. */
export function minimised(document: PolicyDocument, drawn: unknown, isBroken: (simpler: PolicyDocument) => boolean): PolicyDocument {
  const asked = JSON.stringify(drawn) ?? '';
  const zones = Object.keys(document.zones).filter((id) => asked.includes(JSON.stringify(id)));
  const fits = (simpler: PolicyDocument): boolean =>
    zones.every((id) => Object.hasOwn(simpler.zones ?? {}, id)) && loads(simpler) && isBroken(simpler);

  let smallest = document;
  let attempts = 0;
  for (let shrunk = true; shrunk; ) {
    shrunk = false;
    // Later places first: what is taken away there does not move those before.
    for (const simplification of [...simplifications(smallest)].reverse()) {
      if (attempts >= attemptsMax) return smallest;
      attempts += 1;
      const simpler = replaced(smallest, simplification) as PolicyDocument;
      if (!fits(simpler)) continue;
      smallest = simpler;
      shrunk = true;
    }
  }
  return smallest;
}

type Place = readonly (string | number)[];
interface Simplification {
  readonly place: Place;
  /** Absent: the member goes. */
  readonly by?: unknown;
}

/** Every member and item taken away, and every condition replaced by a part of it. */
function* simplifications(value: unknown, at: Place = []): Generator<Simplification> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const place = [...at, Array.isArray(value) ? Number(key) : key];
    yield { place };
    if (key === 'when' && isWhen(inner)) for (const part of partsOf(inner.ast)) yield { place, by: when(part) };
    else yield* simplifications(inner, place);
  }
}

function isWhen(value: unknown): value is { readonly ast: Condition } {
  return typeof value === 'object' && value !== null && 'ast' in value;
}

function partsOf(ast: Condition): readonly Condition[] {
  return Object.values(ast).filter((part): part is Condition => typeof part === 'object' && part !== null && 'is' in part);
}

/** A place that an earlier step took away stays as it is. */
function replaced(value: unknown, { place: [first, ...rest], ...change }: Simplification): unknown {
  if (first === undefined) return 'by' in change ? change.by : undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return value;
  const inner = replaced((value as Record<string, unknown>)[first], { place: rest, ...change });
  if (Array.isArray(value)) return value.flatMap((item, index) => (index !== first ? [item] : inner === undefined ? [] : [inner]));
  const { [first]: _gone, ...others } = value as Record<string | number, unknown>;
  // In its own place: the order of members is part of what some claims are about.
  return inner === undefined
    ? others
    : Object.fromEntries(Object.entries(value).map(([key, kept]) => [key, key === String(first) ? inner : kept]));
}
