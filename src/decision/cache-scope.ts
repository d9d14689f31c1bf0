/**
 * How far an answer may be cached, from what the decision consulted. INVARIANT: two questions with the same non-null key get
 * the same answer, byte for byte; so a key names everything that could have changed it, and nothing else.
 */
import { policyTag, serviceTag, zoneTag } from './cache-tags.ts';
import type { CacheAnswer } from './decision.ts';
import type { Descent } from './descent.ts';
import { edgesOfAll } from './edges.ts';
import { type PreparedRung, type PreparedZone, preparedZone, requestFactEntries } from './reading.ts';
import type { Standing } from './standing.ts';
import type { Scope } from './vocabulary.ts';

const maxAgeDefaultSeconds = { public: 60, segment: 30 } as const;

export function cacheAnswer(standing: Standing, id: string, prepared: PreparedZone, descent: Descent): CacheAnswer {
  const degraded = isDegraded(standing, descent);
  const scope = scopeOfAnswer(standing, prepared, degraded);
  if (scope === 'private') return forOneVisitor;
  if (scope === 'none') return degraded ? forNobodyYet : forNobody;
  return {
    scope,
    maxAgeSeconds: prepared.zone.maxAgeSeconds ?? maxAgeDefaultSeconds[scope],
    key: scope === 'public' ? publicKey(standing, id) : segmentKey(standing, id, prepared),
    tags: [serviceTag, policyTag(standing.artefact.policy), zoneTag(id)],
    degraded,
  };
}

const forOneVisitor: CacheAnswer = { scope: 'private', maxAgeSeconds: 0, key: null, tags: [], degraded: false };
const forNobody: CacheAnswer = { ...forOneVisitor, scope: 'none' };
const forNobodyYet: CacheAnswer = { ...forNobody, degraded: true };

/** A better answer may come in a moment: what ran late or broke, or consent that has not been heard yet. */
function isDegraded({ question }: Standing, { mayRecover, awaitsConsent }: Descent): boolean {
  return mayRecover || (question.audience === 'personal' && awaitsConsent);
}

function scopeOfAnswer(standing: Standing, prepared: PreparedZone, degraded: boolean): Scope {
  if (degraded || standing.question.explain) return 'none';
  if (standing.question.audience === 'personal') return prepared.rungs.length > 1 ? 'private' : 'public';
  return appliesToSegments(standing, prepared) ? 'segment' : 'public';
}

/** Whether some S0 rule of the segment rung could apply to somebody, at some time. */
function appliesToSegments({ artefact }: Standing, prepared: PreparedZone): boolean {
  if (!artefact.contextualWithoutSignal) return false;
  return segmentRungs([prepared]).some(({ always, windowed }) =>
    [...always, ...windowed].some(({ sensitivity }) => sensitivity.class === 'S0'),
  );
}

function segmentRungs(zones: readonly PreparedZone[]): readonly PreparedRung[] {
  return zones.flatMap(({ rungs }) => rungs.filter(({ rung }) => rung.tier === 'segment'));
}

function publicKey({ artefact }: Standing, id: string): string {
  return `${artefact.policy}@${artefact.revision.slice(0, 16)}/${id}`;
}

/** Where zones arbitrate, what one shows depends on the others of the page: then the key covers the whole question. */
function segmentKey(standing: Standing, id: string, prepared: PreparedZone): string {
  const arbitrates = segmentRungs([prepared]).some(({ rung }) => rung.select.by === 'arbitrate');
  const parts = arbitrates ? questionParts(standing) : partsOf(standing, segmentRungs([prepared]));
  return parts === '' ? publicKey(standing, id) : `${publicKey(standing, id)}?${parts}`;
}

const partsOfQuestions = new WeakMap<Standing, string>();

/**
 * The same for every zone of a question that arbitrates, and dear where there are many offers. Of those that choose by rules no other can
 * tell what they show.
 */
function questionParts(standing: Standing): string {
  let parts = partsOfQuestions.get(standing);
  if (parts === undefined) {
    const { artefact, question } = standing;
    const rungs = segmentRungs(question.zones.flatMap((other) => preparedZone(artefact, other) ?? [])).filter(
      ({ rung }) => rung.select.by === 'arbitrate',
    );
    parts = [...pageParts(standing), partsOf(standing, rungs)].filter((part) => part !== '').join('&');
    partsOfQuestions.set(standing, parts);
  }
  return parts;
}

function partsOf(standing: Standing, rungs: readonly PreparedRung[]): string {
  return [...readParts(standing, rungs), ...timeParts(standing, rungs), ...windowParts(standing, rungs)].join('&');
}

function pageParts({ question }: Standing): readonly string[] {
  return [`@page=${escaped(question.page ?? '')}`, `@zones=${list(question.zones)}`, `@shown=${list([...question.shownOffers].sort())}`];
}

function readParts({ question }: Standing, rungs: readonly PreparedRung[]): readonly string[] {
  const reads = rungs.flatMap((rung) => requestFactEntries(rung, question.nowMs)).map((entry) => entry.reads);
  const names = [...new Set(reads.flatMap(({ request }) => request))].sort();
  const attributes = names
    .filter((name) => Object.hasOwn(question.request, name))
    .map((name) => `${name}=${written(question.request[name])}`);
  const audiences =
    reads.some((read) => read.audiences) && question.audiences !== null ? [`@audiences=${list([...question.audiences].sort())}`] : [];
  return [...attributes, ...audiences];
}

/**
 * How many of the instants have passed at which a condition on the time may change; the time itself, where they cannot be told. Where
 * they follow from attributes, those stand in the key, so that two questions with one key count the same instants.
 */
function timeParts({ question: { nowMs, request } }: Standing, rungs: readonly PreparedRung[]): readonly string[] {
  const entries = rungs.flatMap((rung) => requestFactEntries(rung, nowMs)).filter(({ reads }) => reads.now);
  if (entries.length === 0) return [];
  const edges = new Set<number>();
  for (const entry of entries) {
    const edgesMs = entry.edgesMs ?? edgesOfAll(entry.conditions, request);
    if (edgesMs === null) return [`@at=${nowMs}`];
    for (const edgeMs of edgesMs) edges.add(edgeMs);
  }
  return [`@now=${countPassed(edges, nowMs)}`];
}

function countPassed(edges: Iterable<number>, nowMs: number): number {
  let passed = 0;
  for (const edgeMs of edges) if (edgeMs <= nowMs) passed++;
  return passed;
}

/** How many openings and closings of offer windows have passed: it changes exactly when the set of open offers for everybody may. */
function windowParts({ question }: Standing, rungs: readonly PreparedRung[]): readonly string[] {
  const edges = new Set<number>();
  for (const { windowed } of rungs) {
    for (const { sensitivity, offer } of windowed) {
      if (sensitivity.class !== 'S0') continue;
      for (const edgeMs of [offer.fromMs, offer.untilMs]) if (edgeMs !== null) edges.add(edgeMs);
    }
  }
  return edges.size === 0 ? [] : [`@window=${countPassed(edges, question.nowMs)}`];
}

function written(value: unknown): string {
  return Array.isArray(value) ? list(value.map(String)) : escaped(String(value));
}

/** Each item ends with a comma, or a list of one empty text would look like an empty list. */
function list(items: readonly string[]): string {
  return items.map((item) => `${escaped(item)},`).join('');
}

/** Percent-encodes all that a key uses as a mark. Written out because lone surrogates would make `encodeURIComponent` throw. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9_.~-]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
