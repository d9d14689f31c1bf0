/**
 * What every engine is asked, as data: drawn once on this Node, so that engines can differ in their answers and not in what they were
 * asked. From a fixed seed: the same each time.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse } from 'yaml';
import type { hearConsent, WireConsent } from '../../src/consent/signals.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import type { Evidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import type { DeviceQuestion } from '../../src/device/decide-on-device.ts';
import type { DevicePolicy } from '../../src/device/device-artefact.ts';
import { trim } from '../../src/device/trim.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { chanceFrom } from '../attacks/chance.ts';
import { settings } from '../consent/states-of.ts';
import { vectorsOf } from '../consent/us-corpus.ts';
import { drawArtefact, baseNowMs as drawnNowMs, drawQuestion } from '../device/generate.ts';
import { policyDocument } from '../generate/document.ts';
import { evidence } from '../generate/evidence.ts';
import { questionAbout } from '../generate/question.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { type PolicyDocument, toPolicyText } from '../oracle/document.ts';

export type Sheet = DecisionSheet | DeviceSheet | ConsentSheet;

/** Many questions about one policy. */
export interface DecisionSheet {
  readonly kind: 'decisions';
  readonly artefact: Artefact;
  readonly cases: readonly { readonly question: Question; readonly evidence: Evidence }[];
}

/** The same for the core that decides on a device, about what of a policy may leave for one. */
export interface DeviceSheet {
  readonly kind: 'device';
  readonly artefact: DevicePolicy;
  readonly questions: readonly DeviceQuestion[];
}

export interface ConsentSheet {
  readonly kind: 'consent';
  readonly hearing: Omit<Parameters<typeof hearConsent>[2], 'country'>;
  readonly cases: readonly { readonly wire: WireConsent; readonly secGpc: readonly string[]; readonly country: string | null }[];
}

const seed = 20_261_122;
const generatedPolicies = 180;
const devicePolicies = 100;
const questionsPerDevicePolicy = 50;
/** The one that was written for what generated ones seldom turn on is asked as often as twenty of them. */
const sheetsOfWritten = 20;
const casesPerSheet = 100;

export function* decisionSheets(): Generator<DecisionSheet> {
  const documents = fc.sample(fc.noBias(policyDocument), { seed, numRuns: generatedPolicies });
  for (const [index, document] of documents.entries()) yield sheetAbout(toPolicyText(document), document, seed + index);
  const written = readFileSync('test/runtimes/orders-and-ties.yaml', 'utf8');
  const { zones, offers } = parse(written);
  for (let index = 0; index < sheetsOfWritten; index += 1) yield sheetAbout(written, { zones, offers }, seed - 1 - index);
}

function sheetAbout(text: string, named: Pick<PolicyDocument, 'zones' | 'offers'>, from: number): DecisionSheet {
  const { artefact, problems } = compilePolicy(text, { file: 'policy.yaml', nowMs: baseNowMs });
  if (artefact === null) throw new Error(`a policy must load: ${JSON.stringify(problems)}`);
  const asked = fc.record({ question: questionAbout(named as PolicyDocument), evidence });
  return { kind: 'decisions', artefact, cases: fc.sample(fc.noBias(asked), { seed: from, numRuns: casesPerSheet }) };
}

export function* deviceSheets(): Generator<DeviceSheet> {
  const chance = chanceFrom(seed);
  for (let index = 0; index < devicePolicies; index += 1) {
    const { artefact } = trim(drawArtefact(chance), drawnNowMs);
    yield { kind: 'device', artefact, questions: Array.from({ length: questionsPerDevicePolicy }, () => drawQuestion(chance)) };
  }
}

interface TcfCorpus {
  readonly tcf: readonly { readonly input: string }[];
  readonly tcfCost: readonly { readonly input: string }[];
  readonly precedence: readonly { readonly consent: WireConsent; readonly secGpc?: readonly string[] }[];
}

/** Every string of the conformance corpus, where it counts, where it does not, and where nobody knows. */
export function consentSheet(): ConsentSheet {
  const { tcf, tcfCost, precedence }: TcfCorpus = JSON.parse(
    readFileSync('test/conformance/consent/tc-strings-and-precedence.json', 'utf8'),
  );
  const said: readonly { readonly wire: WireConsent; readonly secGpc: readonly string[] }[] = [
    ...vectorsOf('gpp').map(({ input }) => ({ wire: { gpp: input }, secGpc: [] })),
    ...vectorsOf('usp').map(({ input }) => ({ wire: { usPrivacy: input }, secGpc: [] })),
    ...vectorsOf('google-consent-mode').map(({ input }) => ({ wire: { googleConsentMode: input }, secGpc: [] })),
    ...vectorsOf('sec-gpc').map(({ input }) => ({ wire: {}, secGpc: input })),
    ...[...tcf, ...tcfCost].map(({ input }) => ({ wire: { tcf: input }, secGpc: [] })),
    ...precedence.map(({ consent, secGpc = [] }) => ({ wire: consent, secGpc })),
  ];
  const cases = ['US', 'DE', null].flatMap((country) => said.map((one) => ({ ...one, country })));
  const hearing = { settings: { ...settings, regimes: { US: 'us_opt_out' as const } }, nowMs: Date.parse('2026-11-20T00:00:00Z') };
  return { kind: 'consent', hearing, cases };
}
