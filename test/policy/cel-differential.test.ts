/** Random conditions without names: where the CEL library knows an answer, our lowering and the core's evaluator give the same. */
import { Environment as Library } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate } from '../../src/decision/evaluate.ts';
import { lowerExpression } from '../../src/policy/cel/lower.ts';

const library = new Library({ homogeneousAggregateLiterals: false });
const nothingDeclared = {
  attributes: { request: new Map(), session: new Map(), profile: new Map(), device: new Map() },
  audiences: new Map(),
  untyped: new Set<never>(),
};
const nothingKnown = { request: undefined, session: undefined, profile: undefined, audiences: undefined, audiencesOpen: true, nowMs: 0 };

const written = (parts: readonly fc.Arbitrary<string>[], write: (...parts: string[]) => string) =>
  fc.tuple(...parts).map((texts) => write(...texts));

const { truth } = fc.letrec<{ number: string; text: string; list: string; truth: string }>((tie) => {
  const [number, text, list, truth] = [tie('number'), tie('text'), tie('list'), tie('truth')];
  const comparison = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
  return {
    number: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('0', '1', '2', '-3', '10', '9007199254740991'),
      written([number, fc.constantFrom('+', '-', '*', '/', '%'), number], (a, op, b) => `(${a}) ${op} (${b})`),
      written([number], (a) => `-(${a})`),
      written([text], (a) => `size(${a})`),
      written([list], (a) => `${a}.size()`),
      written([truth, number, number], (c, a, b) => `(${c} ? ${a} : ${b})`),
    ),
    text: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('"a"', "'ab'", '""', '"ä😀"', '"\\u00e4"', "r'\\x'"),
      written([truth, text, text], (c, a, b) => `(${c} ? ${a} : ${b})`),
    ),
    list: written([number, number], (a, b) => `[${a}, ${b}]`),
    truth: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('true', 'false'),
      written([truth, fc.constantFrom('&&', '||'), truth], (a, op, b) => `(${a} ${op} ${b})`),
      written([truth], (a) => `!(${a})`),
      written([number, comparison, number], (a, op, b) => `(${a}) ${op} (${b})`),
      written([text, comparison, text], (a, op, b) => `${a} ${op} ${b}`),
      written([number, list], (a, b) => `(${a}) in ${b}`),
      written([text, fc.constantFrom('startsWith', 'endsWith', 'contains'), text], (a, op, b) => `${a}.${op}(${b})`),
      written([list, fc.constantFrom('exists', 'all'), comparison, number], (a, op, sign, b) => `${a}.${op}(x, x ${sign} ${b})`),
    ),
  };
});

/** Undefined where the library fails: CEL's errors are *unknown* here, and a list with one unknown item is not unknown as a whole. */
function answerOfLibrary(source: string): unknown {
  try {
    return library.evaluate(source);
  } catch {
    return undefined;
  }
}

test('compiled conditions answer as the library does, wherever it answers and numbers stay within bounds', () => {
  let compared = 0;
  fc.assert(
    fc.property(truth, (source) => {
      const { typed, problems } = lowerExpression(source, nothingDeclared);
      if (typed === null) return expect(problems[0]?.code).toBe('expression-too-large');
      const wanted = answerOfLibrary(source);
      const got = evaluate(typed.expression, nothingKnown);
      // Beyond ±(2^53 − 1) the core says unknown where the library goes on to 2^63.
      if (wanted === undefined || got === undefined) return;
      compared++;
      expect(got).toBe(wanted);
    }),
    { numRuns: 3_000 },
  );
  expect(compared).toBeGreaterThan(1_500);
});
