/** The corpus against the core, and against the oracle: a case that only one of them meets shows which is wrong. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import type { Decision } from '../../src/decision/decision.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { oracleDecide } from '../oracle/oracle.ts';
import { documentFrom } from '../oracle/parse.ts';
import { assembled, type ConformanceCase } from './assemble.ts';

const here = new URL('.', import.meta.url);
const files = readdirSync(new URL('cases/', here)).filter((name) => name.endsWith('.json'));
const corpus = files.flatMap((name) => JSON.parse(readFileSync(new URL(`cases/${name}`, here), 'utf8')) as ConformanceCase[]);

test('every case has its own id', () => {
  expect(new Set(corpus.map(({ id }) => id)).size).toBe(corpus.length);
});

describe.each(corpus)('$id', (given) => {
  const text = readFileSync(new URL(`policies/${given.policy}.json`, here), 'utf8');
  const { question, evidence } = assembled(given, documentFrom(text));

  test(`core: ${given.why}`, () => {
    const { artefact, problems } = compilePolicy(text, { file: `${given.policy}.json`, nowMs: question.nowMs });
    if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
    expect(shown(decide(artefact, question, evidence), given)).toEqual(given.expected);
  });

  test(`oracle: ${given.why}`, () => {
    expect(shown(oracleDecide(documentFrom(text), question, evidence), given)).toEqual(given.expected);
  });
});

/** What the corpus says of an answer: a GET has no identity and no consent, and what a key or a tag holds is not fixed. */
function shown({ identity, consent, zones }: Decision, given: ConformanceCase): unknown {
  const comparable = zones.map(({ explain: _explain, ...zone }) => ({
    ...zone,
    cache: { ...zone.cache, key: zone.cache.key === null ? null : 'filled', tags: zone.cache.tags.length > 0 ? ['filled'] : [] },
  }));
  return given.request.method === 'GET' ? { zones: comparable } : { identity, consent, zones: comparable };
}
