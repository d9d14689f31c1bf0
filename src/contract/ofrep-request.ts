/**
 * From OFREP's evaluation context to a question. An application of OpenFeature brings a context of its own, made for whichever service
 * answers: only the shape of the body can be wrong. Whatever is ours by name and cannot be used is as if it were not there, and the answer
 * says which; of consent alone, what cannot be read takes grants away, because it may hide a denial.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { Value } from '../decision/value.ts';
import { type ConsentState, type UseCase, useCases } from '../decision/vocabulary.ts';
import { readValue } from './attributes.ts';
import type { Asking } from './convert.ts';
import { invalidRequest } from './problem.ts';
import type { DecideRequest } from './schemas.ts';

/** The members of a context that are never attributes. */
const contextNames = ['targetingKey', 'token', 'proof', 'sessionId', 'deviceId', 'consent', 'page'] as const;
const identityNames = ['token', 'proof', 'sessionId', 'deviceId'] as const;

export type Context = Readonly<Record<string, unknown>>;

/** The body's shape alone. Throws the problem. */
export function readContext(body: unknown): Context {
  if (!isObject(body)) throw invalidRequest([{ pointer: '', detail: 'must be an object: write { "context": {} }' }]);
  const context = Object.hasOwn(body, 'context') ? body.context : undefined;
  if (isObject(context)) return context;
  const detail = context === undefined ? '`context` is needed: write { "context": {} }' : 'must be an object';
  throw invalidRequest([{ pointer: '/context', detail }]);
}

/** As on the other wire. */
export type OfrepConsent = NonNullable<DecideRequest['consent']> & {
  /** There was more, and it could not be read. */
  readonly isUnreadable?: true;
};

export interface HeardContext {
  readonly asking: Asking;
  readonly identity: NonNullable<DecideRequest['identity']>;
  readonly consent: OfrepConsent | undefined;
  /** Names of ours, or of the policy's attributes, whose values could not be used; sorted. */
  readonly ignored: readonly string[];
}

/** `flag` null: all that the context's page holds, or all there is. The caller has looked that the flag exists. */
export function hearContext(context: Context, flag: string | null, artefact: Artefact, nowMs: number): HeardContext {
  const ignored: string[] = [];
  const page = readPage(member(context, 'page'), artefact, ignored);
  const request = readRequestAttributes(context, artefact, ignored);
  const identity = readIdentity(context, ignored);
  const consent = readConsent(member(context, 'consent'), ignored);
  const ids = flag === null ? zonesOf(artefact, page) : [flag];
  const tieBreak = readTargetingKey(member(context, 'targetingKey'), ignored);
  const question = {
    nowMs,
    audience: 'personal',
    page,
    zones: ids,
    shownOffers: [],
    request,
    audiences: null,
    explain: false,
    ...(tieBreak === null ? {} : { tieBreak }),
  } as const;
  const asking = {
    question,
    zones: ids.map((zone) => ({ zone, budgetMs: artefact.zones[zone]?.budgetMs ?? null })),
    deadlineMs: null,
    defaultDeadlineMs: (page === null ? null : artefact.pages[page]?.deadlineMs) ?? artefact.deadline.defaultMs,
  };
  return { asking, identity, consent, ignored: ignored.sort() };
}

function readTargetingKey(given: unknown, ignored: string[]): string | null {
  if (isNothing(given)) return null;
  if (typeof given === 'string') return given;
  ignored.push('targetingKey');
  return null;
}

/** An application's own `page` may mean anything: one that the policy does not name is none. */
function readPage(given: unknown, { pages }: Artefact, ignored: string[]): string | null {
  if (isNothing(given)) return null;
  if (typeof given === 'string' && Object.hasOwn(pages, given)) return given;
  ignored.push('page');
  return null;
}

/** Zones choose in order of criticality, as on a page; a page keeps its own list, of which things are known. */
function zonesOf(artefact: Artefact, page: string | null): readonly string[] {
  if (page !== null) return artefact.pages[page]?.zones ?? [];
  let all = allZones.get(artefact);
  if (all === undefined) {
    const criticalityOf = (id: string) => artefact.zones[id]?.criticality ?? 0;
    all = Object.keys(artefact.zones).sort((a, b) => criticalityOf(b) - criticalityOf(a));
    allZones.set(artefact, all);
  }
  return all;
}

const allZones = new WeakMap<Artefact, readonly string[]>();

function readRequestAttributes(context: Context, { attributes }: Artefact, ignored: string[]): Record<string, Value> {
  const request: Record<string, Value> = Object.create(null);
  for (const name of Object.keys(context)) {
    const declaration = Object.hasOwn(attributes.request, name) && !isReserved(name) ? attributes.request[name] : undefined;
    const given = context[name];
    if (declaration === undefined || isNothing(given)) continue;
    const value = readValue(given, declaration);
    if (value === null) ignored.push(name);
    else request[name] = value;
  }
  return request;
}

function readIdentity(context: Context, ignored: string[]): HeardContext['identity'] {
  const identity: { [name in (typeof identityNames)[number]]?: string } = {};
  for (const name of identityNames) {
    const given = member(context, name);
    if (typeof given === 'string') identity[name] = given;
    else if (!isNothing(given)) ignored.push(name);
  }
  return identity;
}

const consentTexts = ['tcf', 'gpp', 'usPrivacy'] as const;
const consentNames: ReadonlySet<string> = new Set([...consentTexts, 'gdprApplies', 'googleConsentMode', 'useCases']);

/** What can be read of it denies as ever. Beside anything that cannot be, nothing is granted. */
function readConsent(given: unknown, ignored: string[]): OfrepConsent | undefined {
  if (isNothing(given)) return undefined;
  const consent: NonNullable<DecideRequest['consent']> = {};
  let isReadable = isObject(given);
  const said = isObject(given) ? given : {};
  for (const name of consentTexts) {
    const text = member(said, name);
    if (typeof text === 'string') consent[name] = text;
    else isReadable &&= isNothing(text);
  }
  // Where it is not said, the stricter holds: it applies.
  const gdprApplies = member(said, 'gdprApplies');
  if (typeof gdprApplies === 'boolean') consent.gdprApplies = gdprApplies;
  else isReadable &&= isNothing(gdprApplies);
  const mode = member(said, 'googleConsentMode');
  if (isObject(mode)) consent.googleConsentMode = mode as NonNullable<OfrepConsent['googleConsentMode']>;
  else isReadable &&= isNothing(mode);
  const explicit = readUseCases(member(said, 'useCases'));
  consent.useCases = explicit.states;
  isReadable &&= explicit.isReadable && Object.keys(said).every((name) => consentNames.has(name));
  if (isReadable) return consent;
  ignored.push('consent');
  return { ...consent, isUnreadable: true };
}

function readUseCases(given: unknown): { readonly states: NonNullable<OfrepConsent['useCases']>; readonly isReadable: boolean } {
  const states: { [useCase in UseCase]?: ConsentState } = {};
  if (isNothing(given)) return { states, isReadable: true };
  if (!isObject(given)) return { states, isReadable: false };
  let isReadable = Object.keys(given).every((name) => useCases.some((useCase) => useCase === name));
  for (const useCase of useCases) {
    const state = member(given, useCase);
    if (state === 'granted' || state === 'denied') states[useCase] = state;
    else isReadable &&= isNothing(state) || state === 'unavailable';
  }
  return { states, isReadable };
}

function isReserved(name: string): boolean {
  return contextNames.some((one) => one === name);
}

/** As everywhere on the wire, an empty text is an absent signal; and OpenFeature's contexts may hold null. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function member(object: Context, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isObject(value: unknown): value is Context {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
