/**
 * From a source's answer to a fact, by the policy's mapping. A server that says one thing wrongly is not believed in the rest: what
 * is of another type than declared makes the whole answer a `misfit`.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import type { IdentityLink, Profile } from '../decision/facts.ts';
import type { Value } from '../decision/value.ts';
import { compileMapping, createMappedAnswer, type MappedAnswer, type Mapping } from '../policy/mapping.ts';
import { idLengthMax } from '../records/limits.ts';
import { faultOfSubject } from '../records/nobody.ts';
import { parseRecordedMs } from '../time/instant.ts';
import { SourceFault } from './source-fault.ts';

/** Throws a `SourceFault` for an answer that does not fit. */
export type Reader<T> = (response: unknown) => T;

/** The same, for one of several that read an answer and share what that may cost. */
type Part<T> = (answer: MappedAnswer) => T;

const ppmMax = 1_000_000;

type SourceMap = NonNullable<Artefact['dependencies']['identity']['source']>['map'];

export function identityReader(map: SourceMap): Reader<IdentityLink> {
  const [subjectIn, methodIn, confidenceIn] = [map.subject, map.method, map.confidencePpm].map(compiled);
  return (response) => {
    const answer = createMappedAnswer(response);
    const subject = evaluated(subjectIn, answer);
    const { method = 'probabilistic', confidencePpm = 0 } = {
      method: evaluated(methodIn, answer),
      confidencePpm: evaluated(confidenceIn, answer),
    };
    if (!isSubject(subject)) throw misfit();
    if ((method !== 'deterministic' && method !== 'probabilistic') || !isPpm(confidencePpm)) throw misfit();
    return { subject, method, confidencePpm };
  };
}

export function profileReader(map: SourceMap, artefact: Artefact): Reader<Profile> {
  const attributesIn = Object.entries(map.attributes).map(([name, text]) => {
    const declaration = ownOf(artefact.attributes.profile, name);
    if (declaration === undefined) throw new Error(`the mapping of \`${name}\` was not checked`);
    const values = declaration.values === null ? null : new Set(declaration.values);
    return { name, type: declaration.type, values, mapping: compileMapping(text) };
  });
  const readAudiences = map.audiences === null ? null : audiencePart(map, artefact);
  return (response) => {
    // What has no members would lack every one of them, and nobody's profile is a bare text or number.
    if (typeof response !== 'object' || response === null) throw misfit();
    const attributes: Record<string, Value> = Object.create(null);
    const answer = createMappedAnswer(response);
    for (const { name, type, values, mapping } of attributesIn) {
      const value = evaluated(mapping, answer);
      if (value !== undefined) attributes[name] = declared(value, type, values);
    }
    // Audiences that an answer does not mention are not audiences that nobody is in.
    return { attributes, audiences: readAudiences === null ? [] : readAudiences(answer) };
  };
}

export function audienceReader(map: SourceMap, artefact: Artefact): Reader<readonly string[]> {
  const read = audiencePart(map, artefact);
  return (response) => read(createMappedAnswer(response));
}

function audiencePart(map: SourceMap, { audiences }: Artefact): Part<readonly string[]> {
  const mapping = compiled(map.audiences);
  return (answer) => {
    const names = evaluated(mapping, answer);
    if (!isTexts(names)) throw misfit();
    return [...new Set(names)].filter((name) => Object.hasOwn(audiences, name));
  };
}

export function propensityReader(map: SourceMap, { offers }: Artefact): Reader<Readonly<Record<string, number>>> {
  const mapping = compiled(map.propensityPpm);
  return (response) => {
    const given = evaluated(mapping, createMappedAnswer(response));
    if (typeof given !== 'object' || given === null || Array.isArray(given)) throw misfit();
    const propensities: Record<string, number> = Object.create(null);
    for (const [offer, propensity] of Object.entries(given)) {
      if (!Object.hasOwn(offers, offer)) continue;
      if (!isPpm(propensity)) throw misfit();
      propensities[offer] = propensity;
    }
    return propensities;
  };
}

function compiled(text: string | null): Mapping | null {
  return text === null ? null : compileMapping(text);
}

/** `undefined` where the policy maps nothing, or the answer lacks what it maps. */
function evaluated(mapping: Mapping | null | undefined, answer: MappedAnswer): unknown {
  try {
    return mapping?.(answer);
  } catch {
    throw misfit();
  }
}

/** As the core wants it. A whole number is a time too: CEL's `timestamp()` yields one. */
function declared(value: unknown, type: AttributeDeclaration['type'], values: ReadonlySet<string> | null): Value {
  switch (type) {
    case 'string':
      if (typeof value === 'string' && isAmong(value, values)) return value;
      break;
    case 'int':
      if (isWhole(value)) return value;
      break;
    case 'bool':
      if (typeof value === 'boolean') return value;
      break;
    case 'timestamp': {
      const instantMs = typeof value === 'string' ? parseRecordedMs(value) : value;
      if (isWhole(instantMs)) return instantMs;
      break;
    }
    case 'strings':
      if (isTexts(value) && value.every((text) => isAmong(text, values))) return value;
      break;
  }
  throw misfit();
}

function misfit(): SourceFault {
  return new SourceFault('misfit');
}

/**
 * As the token's `sub` and the routes that write records: what they refuse could have no record. A lone surrogate is no text: all of
 * them would be one and the same person.
 */
function isSubject(value: unknown): value is string {
  return typeof value === 'string' && value.length <= idLengthMax && value.isWellFormed() && faultOfSubject(value) === null;
}

function isPpm(value: unknown): value is number {
  return isWhole(value) && value >= 0 && value <= ppmMax;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isAmong(value: string, values: ReadonlySet<string> | null): boolean {
  return values === null || values.has(value);
}

function ownOf<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
