/**
 * Which evaluation scenarios of OpenFeature's specification and of flagd's testbed apply to a flag service like this one, and what they come
 * to here. Every scenario of a feature file that is about evaluating is listed by its name; one that does not apply says why. The flags are
 * those of `flags.yaml`. Where upstream says STATIC we say DEFAULT: what never varies is an approved variant, and that is its reason.
 */
import type { Context, FlagType } from './clients.ts';

export interface Case {
  readonly key: string;
  readonly type: FlagType;
  readonly fallback: unknown;
  readonly context?: Context;
  readonly value: unknown;
  readonly reason: 'DEFAULT' | 'TARGETING_MATCH' | 'ERROR';
  readonly variant?: string;
  readonly errorCode?: 'FLAG_NOT_FOUND' | 'TYPE_MISMATCH';
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  readonly suite: string;
  readonly name: string;
  /** What it comes to; or, as text, why it does not apply. */
  readonly here: readonly Case[] | string;
}

const evaluationSuite = 'OpenFeature evaluation_v2.feature';
const oldSuite = 'OpenFeature evaluation.feature';
const metadataSuite = 'OpenFeature metadata.feature';
const hooksSuite = 'OpenFeature hooks.feature';
const mergingSuite = 'OpenFeature contextMerging.feature';
const flagdEvaluation = 'flagd gherkin/evaluation.feature';
const flagdDisabled = 'flagd gherkin/disabled.feature';
const flagdMetadata = 'flagd gherkin/metadata.feature';
const flagdTargeting = 'flagd gherkin/targeting.feature';
const flagdEnrichment = 'flagd gherkin/contextEnrichment.feature';

const object = { showImages: true, title: 'Look at these', imagesPerPage: 100 };

const typed = (reason: Case['reason'] = 'DEFAULT'): readonly Case[] => [
  { key: 'boolean-flag', type: 'boolean', fallback: false, value: true, variant: 'yes', reason },
  { key: 'string-flag', type: 'string', fallback: 'bye', value: 'hi', variant: 'greeting', reason },
  { key: 'integer-flag', type: 'number', fallback: 1, value: 10, variant: 'ten', reason },
  { key: 'float-flag', type: 'number', fallback: 0.1, value: 0.5, variant: 'half', reason },
  { key: 'object-flag', type: 'object', fallback: {}, value: object, variant: 'template', reason },
];

/** As empty as the type allows, so that a client which takes such a value for none would show it. */
const empty = (prefix: string, reason: Case['reason'], context: Context = {}): readonly Case[] => [
  { key: `boolean-${prefix}`, type: 'boolean', fallback: true, value: false, reason, context },
  { key: `string-${prefix}`, type: 'string', fallback: 'hi', value: '', reason, context },
  { key: `integer-${prefix}`, type: 'number', fallback: 1, value: 0, reason, context },
  { key: `float-${prefix}`, type: 'number', fallback: 0.1, value: 0, reason, context },
  { key: `object-${prefix}`, type: 'object', fallback: { a: 1 }, value: {}, reason, context },
];

const targeted = 'targeted-zero-flag';
const one = (cases: readonly Case[], type: string): readonly Case[] => cases.filter(({ key }) => key.startsWith(type));
const missing = (type: FlagType, fallback: unknown): Case => ({
  key: 'no-such-flag',
  type,
  fallback,
  value: fallback,
  reason: 'ERROR',
  errorCode: 'FLAG_NOT_FOUND',
});
const mistyped = (key: string, type: FlagType, fallback: unknown): Case => ({
  key,
  type,
  fallback,
  value: fallback,
  reason: 'ERROR',
  errorCode: 'TYPE_MISMATCH',
});
const inner = { role: 'editor', age: 29, external: false };
const aware = { key: 'context-aware-flag', type: 'string', fallback: 'nothing' } as const;
const contextAware: readonly Case[] = [
  { ...aware, context: inner, value: 'INTERNAL', reason: 'TARGETING_MATCH', variant: 'internal' },
  { ...aware, context: {}, value: 'EXTERNAL', reason: 'DEFAULT', variant: 'external' },
  { ...aware, context: { ...inner, external: true }, value: 'EXTERNAL', reason: 'DEFAULT' },
  { ...aware, context: { ...inner, age: 17 }, value: 'EXTERNAL', reason: 'DEFAULT' },
  // One of three that is not there: unknown is not true.
  { ...aware, context: { role: 'editor', age: 29 }, value: 'EXTERNAL', reason: 'DEFAULT' },
];

const text = { key: 'substring-flag', type: 'string', fallback: 'nothing' } as const;
const substrings: readonly Case[] = [
  { ...text, context: { version: '2.1.0' }, value: 'second', reason: 'TARGETING_MATCH' },
  { ...text, context: { version: '1.9-beta' }, value: 'beta', reason: 'TARGETING_MATCH' },
  { ...text, context: { version: '1.9' }, value: 'other', reason: 'DEFAULT' },
];
const notTexts: readonly Case[] = [
  { ...text, context: { version: 2 }, value: 'other', reason: 'DEFAULT', metadata: { ignoredContext: 'version' } },
  { ...text, context: { version: ['2.1'] }, value: 'other', reason: 'DEFAULT', metadata: { ignoredContext: 'version' } },
];
const time = { key: 'time-flag', type: 'string', fallback: 'nothing' } as const;
const instants: readonly Case[] = [
  { ...time, context: { at: '2026-06-01T00:00:00Z' }, value: 'after', reason: 'TARGETING_MATCH' },
  { ...time, context: { at: '2025-06-01T00:00:00Z' }, value: 'before', reason: 'DEFAULT' },
];
const told = { tier: 'anonymous', intendedTier: 'anonymous', cacheScope: 'public', policy: 'openfeature' };

const ofTheSdk = 'it is about the SDK alone: no provider is asked';
const ofTheState = 'it is about the state of a provider, which is tried with outages in the suites beside this one';
const noCache =
  'what is served is never a cached answer; the provider for pages says CACHED of what it stored, which is tried in a browser';
const noFractions = 'nothing here is drawn by a share of visitors, so there are no buckets to compare';
const noVersions = 'policies compare texts and whole numbers, not versions';
const noReferences = 'a policy has no shared evaluators to refer to; one that names what does not exist never loads';
const neverDisabled =
  'a zone that is switched off has its approved value, not the application’s, and version 1 of a policy has no switch yet';
const noSelector = 'there is one policy, so there are no sets of flags to select from';
const alwaysDefault = 'a zone without an approved variant never loads, so there is always a default';

export const scenarios: readonly Scenario[] = [
  { suite: oldSuite, name: 'Resolves boolean value', here: one(typed(), 'boolean') },
  { suite: oldSuite, name: 'Resolves string value', here: one(typed(), 'string') },
  { suite: oldSuite, name: 'Resolves integer value', here: one(typed(), 'integer') },
  { suite: oldSuite, name: 'Resolves float value', here: one(typed(), 'float') },
  { suite: oldSuite, name: 'Resolves object value', here: one(typed(), 'object') },
  { suite: oldSuite, name: 'Resolves boolean details', here: one(typed(), 'boolean') },
  { suite: oldSuite, name: 'Resolves string details', here: one(typed(), 'string') },
  { suite: oldSuite, name: 'Resolves integer details', here: one(typed(), 'integer') },
  { suite: oldSuite, name: 'Resolves float details', here: one(typed(), 'float') },
  { suite: oldSuite, name: 'Resolves object details', here: one(typed(), 'object') },
  { suite: oldSuite, name: 'Resolves based on context', here: contextAware },
  { suite: oldSuite, name: 'Flag not found', here: [missing('string', 'uh-oh')] },
  { suite: oldSuite, name: 'Type error', here: [mistyped('string-flag', 'number', 13)] },

  { suite: evaluationSuite, name: 'Resolve values', here: typed() },
  { suite: evaluationSuite, name: 'Resolves zero value', here: empty('zero-flag', 'DEFAULT') },
  { suite: evaluationSuite, name: 'Resolves zero value with targeting', here: empty(targeted, 'TARGETING_MATCH', { plan: 'inner' }) },
  { suite: evaluationSuite, name: 'Resolves zero value with targeting using default', here: empty(targeted, 'DEFAULT', { plan: 'outer' }) },
  {
    suite: evaluationSuite,
    name: 'Flag not found error',
    here: [missing('boolean', false), missing('string', 'bye'), missing('number', 1), missing('number', 0.1), missing('object', { a: 1 })],
  },
  {
    suite: evaluationSuite,
    name: 'Type mismatch error',
    here: [
      mistyped('string-flag', 'boolean', false),
      mistyped('boolean-flag', 'string', 'bye'),
      mistyped('boolean-flag', 'number', 1),
      mistyped('boolean-flag', 'number', 0.1),
      mistyped('boolean-flag', 'object', { a: 1 }),
    ],
  },
  { suite: evaluationSuite, name: 'Provider not ready error', here: ofTheState },
  { suite: evaluationSuite, name: 'Provider in fatal state error', here: ofTheState },
  { suite: evaluationSuite, name: 'Complete evaluation details structure', here: typed() },
  { suite: evaluationSuite, name: 'Flag metadata in evaluation details', here: typed().map((given) => ({ ...given, metadata: told })) },
  { suite: evaluationSuite, name: 'Empty evaluation context', here: empty(targeted, 'DEFAULT') },
  { suite: evaluationSuite, name: 'Null context values', here: empty(targeted, 'DEFAULT', { plan: null }) },
  { suite: evaluationSuite, name: 'Multiple context attributes targeting', here: contextAware },
  { suite: evaluationSuite, name: 'Structure flag evaluation', here: one(typed(), 'object') },
  { suite: evaluationSuite, name: 'Variant field population', here: typed() },
  { suite: evaluationSuite, name: 'CACHED reason', here: noCache },
  { suite: evaluationSuite, name: 'DISABLED reason', here: neverDisabled },
  { suite: evaluationSuite, name: 'Provider status accessibility', here: ofTheState },
  { suite: evaluationSuite, name: 'Evaluation options with hooks', here: ofTheSdk },
  { suite: evaluationSuite, name: 'Evaluation context immutability', here: ofTheSdk },
  { suite: evaluationSuite, name: 'Asynchronous flag evaluation', here: typed() },

  { suite: metadataSuite, name: 'Returns metadata', here: one(typed(), 'boolean').map((given) => ({ ...given, metadata: told })) },
  { suite: metadataSuite, name: 'Returns no metadata', here: 'every answer says how it came about' },
  { suite: hooksSuite, name: 'Passes evaluation details to after and finally hooks', here: ofTheSdk },
  { suite: hooksSuite, name: 'Flag not found', here: ofTheSdk },
  { suite: hooksSuite, name: 'Type error', here: ofTheSdk },
  { suite: mergingSuite, name: 'every scenario', here: ofTheSdk },

  { suite: flagdEvaluation, name: 'Resolve values', here: typed() },
  { suite: flagdEvaluation, name: 'Resolves zero value', here: empty('zero-flag', 'DEFAULT') },
  { suite: flagdEvaluation, name: 'Resolves zero value with targeting', here: empty(targeted, 'TARGETING_MATCH', { plan: 'inner' }) },
  { suite: flagdEvaluation, name: 'Resolves zero value with targeting using default', here: empty(targeted, 'DEFAULT', { plan: 'outer' }) },
  { suite: flagdEvaluation, name: 'Resolves flag with no defaultValue correctly', here: alwaysDefault },
  { suite: flagdEvaluation, name: 'Resolves flag with no default variant correctly', here: alwaysDefault },
  { suite: flagdDisabled, name: 'Evaluating a disabled flag returns reason DISABLED and code default', here: neverDisabled },
  { suite: flagdDisabled, name: 'Flag disabled in one flag set, enabled in another', here: noSelector },
  { suite: flagdMetadata, name: 'Returns metadata', here: one(typed(), 'boolean').map((given) => ({ ...given, metadata: told })) },
  { suite: flagdMetadata, name: 'Returns flag set metadata', here: noSelector },
  { suite: flagdMetadata, name: 'Flag metadata overwrites flag set metadata', here: noSelector },
  { suite: flagdMetadata, name: 'Returns no metadata', here: 'every answer says how it came about' },
  { suite: flagdTargeting, name: 'Evaluator reuse', here: noReferences },
  { suite: flagdTargeting, name: 'Evaluator $ref resolves regardless of whitespace around the colon', here: noReferences },
  { suite: flagdTargeting, name: 'Ref to nonexistent evaluator yields parse error', here: noReferences },
  { suite: flagdTargeting, name: 'every scenario of the fractional operator and its errors (25)', here: noFractions },
  { suite: flagdTargeting, name: 'Substring operators', here: substrings },
  { suite: flagdTargeting, name: 'every scenario of the semantic version operator (6) and its wrong argument count', here: noVersions },
  { suite: flagdTargeting, name: 'Time-based operations', here: instants },
  {
    suite: flagdTargeting,
    name: 'Targeting by targeting key',
    here: 'a targeting key proves nobody, so no rule reads it: it only breaks ties',
  },
  {
    suite: flagdTargeting,
    name: 'Errors and edge cases',
    here: [
      missing('number', 1),
      mistyped('string-flag', 'number', 1),
      { ...aware, context: { age: 'old' }, value: 'EXTERNAL', reason: 'DEFAULT' },
    ],
  },
  { suite: flagdTargeting, name: 'Custom operator errors return null and fall back to default variant', here: notTexts },
  { suite: flagdTargeting, name: 'starts_with and ends_with return null for non-string input', here: notTexts },
  {
    suite: flagdTargeting,
    name: 'starts_with and ends_with return null for wrong argument count',
    here: 'a policy with such a condition does not load',
  },
  { suite: flagdEnrichment, name: 'every scenario', here: 'it is about flagd’s sync stream, from which OFREP takes nothing' },
];
