/** The vectors about TC strings, and about signals that stand beside each other, as they lie in the corpus. */
import { readFileSync } from 'node:fs';
import type { ConsentSignalOutcome } from '../../src/consent/signal.ts';
import type { ConsentState, UseCase } from '../../src/decision/vocabulary.ts';

interface Known {
  readonly id: string;
  readonly note?: string;
}

export interface TcfVector extends Known {
  readonly input: string;
  readonly vendorId: number;
  readonly decoded?: DecodedTcf;
  readonly error?: string;
  readonly outcome: ConsentSignalOutcome;
  /** By use case, in the order of the corpus; null: nothing. */
  readonly said: readonly ('granted' | 'denied' | null)[];
}

export interface DecodedTcf {
  readonly version: number;
  readonly publisherRestrictions: readonly {
    readonly purposeId: number;
    readonly restrictionType: number;
    readonly ranges: readonly (readonly [number, number])[];
  }[];
  /** Null: no such segment. */
  readonly disclosedVendors: readonly number[] | null;
  readonly publisherTC: {
    readonly consents: readonly number[];
    readonly legitimateInterests: readonly number[];
    readonly numCustomPurposes: number;
    readonly customConsents: readonly number[];
    readonly customLegitimateInterests: readonly number[];
  } | null;
  readonly [field: string]: unknown;
}

export interface CostVector extends Known {
  readonly input: string;
  readonly vendorConsentFor: Readonly<Record<string, boolean>>;
}

export interface PrecedenceVector extends Known {
  /** Null: nobody knows. */
  readonly country: string | null;
  /** Of the request. */
  readonly consent: Readonly<Record<string, unknown>>;
  readonly secGpc?: readonly string[];
  /** Of the person, who is proved; recorded at the clock of the corpus where no instant is named. */
  readonly record?: Readonly<Partial<Record<UseCase, ConsentState>>>;
  readonly recordedAt?: string;
  readonly states: readonly ConsentState[];
  /** Signals that were received and do not count, and why. */
  readonly notCounted: Readonly<Record<string, string>>;
}

interface Corpus {
  readonly clock: string;
  readonly useCases: readonly UseCase[];
  readonly tcf: readonly TcfVector[];
  readonly tcfCost: readonly CostVector[];
  readonly precedence: readonly PrecedenceVector[];
}

export const corpus: Corpus = JSON.parse(readFileSync('test/conformance/consent/tc-strings-and-precedence.json', 'utf8'));
export const corpusNowMs = Date.parse(corpus.clock);
