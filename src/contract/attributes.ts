/**
 * Holds attributes and audiences against what the policy declares. A mistake names the place and what is allowed, in the
 * policy's words; an empty string is an absent signal.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { parseTimestampMs } from '../policy/instant.ts';
import { type Place, pointerOf, tellableName } from './problem.ts';

type Declarations = Readonly<Record<string, AttributeDeclaration>>;

export interface AttributeReading {
  readonly attributes: Attributes;
  readonly errors: readonly Place[];
}

/** `facts`: timestamps become milliseconds, as the core reads them. `records`: they stay text, as the stores keep them. */
export type AttributeForm = 'facts' | 'records';

export function readAttributes(
  given: { readonly [name: string]: unknown },
  declarations: Declarations,
  { path, form }: { readonly path: readonly string[]; readonly form: AttributeForm },
): AttributeReading {
  const attributes: Record<string, Value> = Object.create(null);
  const errors: Place[] = [];
  for (const name of Object.keys(given)) {
    const value = given[name];
    const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined;
    if (declaration === undefined) {
      const names = Object.keys(declarations).join(', ') || 'none';
      errors.push(place([...path, name], `unknown attribute \`${tellableName(name)}\`; the policy declares: ${names}`));
      continue;
    }
    if (value === '') continue;
    const read = readValue(value, declaration);
    if (read === null) errors.push(place([...path, name], `must be ${describe(declaration)}`));
    else attributes[name] = declaration.type === 'timestamp' && form === 'records' ? (value as string) : read;
  }
  return { attributes, errors };
}

/** As the core wants it; null where it is not of the declared type or not among the declared values. */
export function readValue(value: unknown, { type, values }: AttributeDeclaration): Value | null {
  switch (type) {
    case 'string':
      return typeof value === 'string' && isAmong(value, values) ? value : null;
    case 'int':
      return Number.isSafeInteger(value) ? (value as number) : null;
    case 'bool':
      return typeof value === 'boolean' ? value : null;
    case 'timestamp':
      return typeof value === 'string' ? parseTimestampMs(value) : null;
    case 'strings':
      return isStrings(value) && value.every((item) => isAmong(item, values)) ? value : null;
  }
}

export function describe({ type, values }: AttributeDeclaration): string {
  if (values !== null) return type === 'strings' ? `a list of: ${values.join(', ')}` : `one of: ${values.join(', ')}`;
  return typeSentences[type];
}

const typeSentences = {
  string: 'a string',
  int: 'an integer within ±(2^53 − 1)',
  bool: 'true or false',
  timestamp: 'an RFC 3339 timestamp, such as 2026-11-21T12:00:00Z, no finer than milliseconds',
  strings: 'a list of strings',
} as const;

/** Which audiences a request may name: those safely known before the person is. */
export function edgeAudiences(artefact: Artefact): readonly string[] {
  return Object.entries(artefact.audiences).flatMap(([name, { edge }]) => (edge ? [name] : []));
}

export function audienceErrors(given: readonly string[], allowed: readonly string[], path: readonly string[]): readonly Place[] {
  return given.flatMap((name, index) =>
    allowed.includes(name) ? [] : [place([...path, index], `must be one of: ${allowed.join(', ') || 'none are declared'}`)],
  );
}

export function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isAmong(value: string, values: readonly string[] | null): boolean {
  return values === null || values.includes(value);
}

function place(path: readonly (string | number)[], detail: string): Place {
  return { in: 'body', pointer: pointerOf(path), detail };
}
