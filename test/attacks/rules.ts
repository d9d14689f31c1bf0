/** Policies written to stall, to grow without end or to reach what is no attribute. None loads; the compiler says what to write. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';
import { type Area, expectCleanPrototypes } from './attack.ts';

const policyText = readFileSync('test/http/policy.yaml', 'utf8');
const nowMs = Date.UTC(2026, 10, 21, 12);

function compile(text: string, file = 'p.yaml') {
  return compilePolicy(text, { file, nowMs });
}

/** In the place of the rule that everybody can meet. */
const withRule = (when: string): string => policyText.replace(`'request.country in ["DE", "AT", "CH"]'`, () => JSON.stringify(when));

function expectRefused(...rules: readonly string[]): void {
  for (const rule of rules) {
    const { artefact, problems } = compile(withRule(rule));
    expect([artefact, problems.length > 0], rule.slice(0, 80)).toEqual([null, true]);
  }
}

export const rules: Area = {
  area: 'rules',
  attacks: [
    {
      name: 'a regular expression that backtracks',
      holds: 'conditions have no regular expressions',
      async try() {
        expectRefused('request.country.matches("^(a+)+$")', 'matches(request.country, "(a|a)*b")', '"a".matches(request.country)');
      },
    },
    {
      name: 'a million nodes',
      holds: 'a condition has 2,000 at most',
      async try() {
        expectRefused(
          Array(333_334).fill('true').join(' && '),
          Array(3000).fill('1').join('+').concat(' == 1'),
          `request.country in [${'"x",'.repeat(5000)}"y"]`,
        );
      },
    },
    {
      name: 'conditions nested without end',
      holds: 'the sixty-fifth level is one too many',
      async try() {
        expectRefused(
          `${'('.repeat(500)}true${')'.repeat(500)}`,
          `${'!'.repeat(5000)}true`,
          `${'true ? ('.repeat(200)}true${') : false'.repeat(200)}`,
          '['.repeat(3000),
        );
        expect(compile(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 'p.json').artefact).toBeNull();
        expect(compile('- '.repeat(20_000)).artefact).toBeNull();
      },
    },
    {
      name: 'YAML that refers to itself, or laughs a billion times',
      holds: 'anchors expand to nothing that is kept',
      async try() {
        const lines = [
          'a: &a [x, x, x, x, x, x, x, x, x, x]',
          ...'bcdefghij'.split('').map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abcdefghi'[index]}`).join(', ')}]`),
        ];
        expect(compile(`${lines.join('\n')}\n${policyText}`).artefact).toBeNull();
        expect(compile(`stepwell: 1\npolicy: &p [*p]\n`).artefact).toBeNull();
        expect(compile(`stepwell: 1\nvariants: &v { a: *v }\n`).artefact).toBeNull();
        expect(compile(policyText.replace('policy: retail', 'policy: !!js/function "function(){}"')).artefact).toBeNull();
        expect(compile(policyText.replace('owner: digital-experience', '<<: { owner: x }')).artefact).toBeNull();
      },
    },
    {
      name: 'an operator that makes ever longer texts or lists',
      holds: 'a condition asks and builds nothing',
      async try() {
        expectRefused(
          '(request.country + request.country) == "x"',
          '[1].map(x, [x, x]) == []',
          '"x".format([1]) == ""',
          '([1] + [2]).size() == 2',
          'string(1) == "1"',
          'request.country.replace("a", "aa") == ""',
        );
      },
    },
    {
      name: 'a path to `__proto__`, to a function, or to what is not declared',
      holds: 'only what the policy declares has a name',
      async try() {
        const roots = ['request', 'profile', 'session', 'audiences', 'now'];
        const members = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__'];
        expectRefused(
          ...roots.flatMap((from) =>
            members.flatMap((member) => [`${from}.${member} == "x"`, `${from}["${member}"] == "x"`, `has(${from}.${member})`]),
          ),
          'globalThis == 1',
          'process.env == ""',
          'request == request',
          'this == 1',
          'request.country.constructor("return 1")() == 1',
          'eval("1") == 1',
        );
        expectCleanPrototypes();
      },
    },
  ],
};
