/** Reads the official CEL conformance cases into a plain form: an expression, what is bound, and what must come out. */
import { getConformanceSuite } from '@bufbuild/cel-spec/testdata/tests.js';
import { createRegistry } from '@bufbuild/protobuf';
import { anyUnpack, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { Literal } from '../../src/decision/expression.ts';
import type { Typed } from '../../src/policy/cel/lowering.ts';
import { anyString, bool, duration, int, type Type, timestamp } from '../../src/policy/cel/types.ts';

type Suite = ReturnType<typeof getConformanceSuite>;
type Original = Suite['tests'][number]['original'];

export interface Case {
  readonly name: string;
  readonly source: string;
  readonly variables: ReadonlyMap<string, Typed>;
  readonly expected: Expected;
  /** Why the case cannot be asked of this language whatever its expression says; null when it can. */
  readonly outside: string | null;
}

export type Expected = { readonly kind: 'value'; readonly value: Literal } | { readonly kind: 'error' };

type Converted = { readonly value: Literal; readonly type: Type } | { readonly outside: string };

const registry = createRegistry(TimestampSchema, DurationSchema);

export function conformanceCases(): Case[] {
  return flatten(getConformanceSuite(), []);
}

function flatten(suite: Suite, path: readonly string[]): Case[] {
  const cases = suite.tests.map((test) => readCase(test.original, [...path, test.name].join('/')));
  return [...cases, ...suite.suites.flatMap((inner) => flatten(inner, [...path, inner.name]))];
}

function readCase(original: Original, name: string): Case {
  const variables = new Map<string, Typed>();
  let outside: string | null = original.checkOnly ? 'only the type checker of a dynamic language is asked' : null;
  for (const [variable, bound] of Object.entries(original.bindings)) {
    const value = bound.kind.case === 'value' ? convert(bound.kind.value) : { outside: 'errors and unknowns as inputs' };
    if ('outside' in value) outside ??= value.outside;
    else variables.set(variable, { expression: { op: 'literal', value: value.value }, type: value.type });
  }
  if ([...variables.keys()].some((variable) => variable.includes('.')))
    outside ??= 'names with dots or quotes, and names that nothing declares';
  const expected = readExpected(original);
  if ('outside' in expected) outside ??= expected.outside;
  return { name, source: original.expr, variables, expected: 'outside' in expected ? { kind: 'error' } : expected, outside };
}

function readExpected(original: Original): Expected | { readonly outside: string } {
  const matcher = original.resultMatcher;
  switch (matcher.case) {
    case undefined:
      return { kind: 'value', value: true };
    case 'evalError':
    case 'anyEvalErrors':
      return { kind: 'error' };
    case 'value': {
      const value = convert(matcher.value);
      return 'outside' in value ? value : { kind: 'value', value: value.value };
    }
    case 'typedResult': {
      if (matcher.value.result === undefined) return { outside: 'only the type checker of a dynamic language is asked' };
      const value = convert(matcher.value.result);
      return 'outside' in value ? value : { kind: 'value', value: value.value };
    }
    default:
      return { outside: 'errors and unknowns as inputs' };
  }
}

type Wire = Extract<Original['resultMatcher'], { case: 'value' }>['value'];

function convert(wire: Wire): Converted {
  const { kind } = wire;
  switch (kind.case) {
    case 'int64Value': {
      const value = Number(kind.value);
      return Number.isSafeInteger(value) ? { value, type: int } : { outside: 'integers beyond ±(2^53 − 1)' };
    }
    case 'stringValue':
      return { value: kind.value, type: anyString };
    case 'boolValue':
      return { value: kind.value, type: bool };
    case 'listValue': {
      const items = kind.value.values.map(convert);
      const refused = items.find((item) => 'outside' in item);
      if (refused !== undefined) return refused;
      const known = items as readonly { value: Literal; type: Type }[];
      return { value: known.map((item) => item.value), type: { kind: 'list', item: known[0]?.type ?? null } };
    }
    case 'objectValue':
      return convertObject(kind.value);
    case 'doubleValue':
      return { outside: 'numbers with a fraction' };
    case 'uint64Value':
      return { outside: 'unsigned integers' };
    case 'bytesValue':
      return { outside: 'bytes' };
    case 'nullValue':
      return { outside: 'null' };
    case 'mapValue':
      return { outside: 'maps' };
    default:
      return { outside: 'types as values, enums and messages' };
  }
}

function convertObject(value: Parameters<typeof anyUnpack>[0]): Converted {
  const message = anyUnpack(value, registry);
  if (message === undefined) return { outside: 'types as values, enums and messages' };
  const { $typeName, seconds, nanos } = message as unknown as { $typeName: string; seconds: bigint; nanos: number };
  if (nanos % 1_000_000 !== 0) return { outside: 'times finer than a millisecond' };
  return { value: Number(seconds) * 1000 + nanos / 1_000_000, type: $typeName.endsWith('Timestamp') ? timestamp : duration };
}
