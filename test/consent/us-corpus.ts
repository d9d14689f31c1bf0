/** The vectors about GPP, US Privacy, Global Privacy Control and Google Consent Mode, as they lie in the corpus. */
import { readFileSync } from 'node:fs';
import type { ConsentState, UseCase } from '../../src/decision/vocabulary.ts';
import type { GppSaid } from './us-vectors.ts';

interface Known {
  readonly id: string;
  readonly note?: string;
}

/** In the order of the corpus's `useCases`. */
type States = readonly ConsentState[];

export type UsVector = Known &
  (
    | { readonly kind: 'gpp'; readonly input: string; readonly expected: GppSaid }
    | {
        readonly kind: 'usp';
        readonly input: string;
        readonly expected: { readonly decodes: boolean; readonly states: States; readonly marks?: string };
      }
    | { readonly kind: 'sec-gpc'; readonly input: readonly string[]; readonly expected: boolean }
    | { readonly kind: 'google-consent-mode'; readonly input: { readonly [key: string]: string }; readonly expected: States }
    | { readonly kind: 'google-consent-mode-gcs'; readonly input: readonly string[] }
  );

const corpus: { readonly useCases: readonly UseCase[]; readonly vectors: readonly UsVector[] } = JSON.parse(
  readFileSync('test/conformance/consent/us-and-browser-signals.json', 'utf8'),
);

export const { useCases: corpusUseCases } = corpus;

export function vectorsOf<K extends UsVector['kind']>(kind: K): readonly Extract<UsVector, { readonly kind: K }>[] {
  return corpus.vectors.filter((vector): vector is Extract<UsVector, { readonly kind: K }> => vector.kind === kind);
}
