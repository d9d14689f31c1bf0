/** The core as the checks see it: a document is compiled as an author's text would be, once. */

import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import { needs } from '../../src/decision/needs.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import type { Ask, Decide } from './checks.ts';
import { type PolicyDocument, toPolicyText } from './document.ts';

const compiled = new WeakMap<PolicyDocument, Artefact>();

function artefactOf(document: PolicyDocument): Artefact {
  const kept = compiled.get(document);
  if (kept !== undefined) return kept;
  const { artefact, problems } = compile(document);
  if (artefact === null) {
    const errors = problems.filter(({ severity }) => severity === 'error').map(({ line, message }) => `${line}: ${message}`);
    throw new Error(`a generated policy must load:\n${errors.join('\n')}\n${toPolicyText(document)}`);
  }
  compiled.set(document, artefact);
  return artefact;
}

export function loads(document: PolicyDocument): boolean {
  return compile(document).artefact !== null;
}

function compile(document: PolicyDocument): ReturnType<typeof compilePolicy> {
  return compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs });
}

export const coreDecide: Decide = ({ document, question, evidence }) => decide(artefactOf(document), question, evidence);

export const coreNeeds: Ask = (document, question) => needs(artefactOf(document), question);
