/** A checked request → the question the core answers. Names that the policy does not know end here, as problems. */
import type { Artefact } from '../decision/artefact.ts';
import type { Question } from '../decision/question.ts';
import { type Declarations, readAttributes } from './attributes.ts';
import { invalidRequest, Problem, type ProblemPlace } from './problem.ts';
import type { DecideRequest } from './schemas.ts';

export interface AskedZone {
  readonly zone: string;
  /** The caller's own budget for the zone; null: none. */
  readonly budgetMs: number | null;
}

export interface Asked {
  readonly question: Question;
  readonly zones: readonly AskedZone[];
}

export function questionOf(wire: DecideRequest, artefact: Artefact, nowMs: number): Asked {
  const page = pageOf(wire.page, artefact);
  const zones = zonesOf(wire.zones, page, artefact, '/zones');
  const { request, audiences } = contextOf(wire.context ?? {}, artefact, '/context');
  return {
    zones,
    question: {
      nowMs,
      audience: 'personal',
      page,
      zones: zones.map(({ zone }) => zone),
      shownOffers: [],
      request,
      audiences,
      explain: wire.explain ?? false,
    },
  };
}

/** An empty page is as good as none. */
export function pageOf(page: string | undefined, artefact: Artefact): string | null {
  if (page === undefined || page === '') return null;
  if (!Object.hasOwn(artefact.pages, page)) throw new Problem('unknown_page');
  return page;
}

export function zonesOf(given: DecideRequest['zones'], page: string | null, artefact: Artefact, pointer: string): readonly AskedZone[] {
  if (given === undefined) {
    const zones = page === null ? undefined : artefact.pages[page]?.zones;
    if (zones === undefined) throw invalidRequest([{ pointer, detail: 'name a `page`, or the `zones` to decide' }]);
    return zones.map((zone) => ({ zone, budgetMs: null }));
  }
  const zones = given.map((zone) => (typeof zone === 'string' ? { zone, budgetMs: null } : { zone: zone.id, budgetMs: zone.budgetMs ?? null }));
  const unknown = zones.flatMap(({ zone }, index) => (Object.hasOwn(artefact.zones, zone) ? [] : [{ pointer: `${pointer}/${index}`, detail: 'the policy has no such zone' }]));
  if (unknown.length > 0) throw new Problem('unknown_zone', undefined, unknown);
  const repeated = zones.flatMap(({ zone }, index) => (zones.findIndex((other) => other.zone === zone) < index ? [{ pointer: `${pointer}/${index}`, detail: 'the zone is named twice' }] : []));
  if (repeated.length > 0) throw invalidRequest(repeated);
  return zones;
}

/** `context`: declared request attributes by name, and edge audiences. */
export function contextOf(
  given: Readonly<Record<string, unknown>>,
  artefact: Artefact,
  pointer: string,
): { request: Question['request']; audiences: readonly string[] | null } {
  // An empty string is an absent signal.
  const present = Object.fromEntries(Object.entries(given).filter(([name, value]) => name !== 'audiences' && value !== ''));
  const { attributes, places } = readAttributes(present, artefact.attributes.request as Declarations, pointer);
  const audiences = Object.hasOwn(given, 'audiences') && given.audiences !== '' ? given.audiences : undefined;
  const all = [...places, ...(audiences === undefined ? [] : audiencePlaces(audiences, artefact, `${pointer}/audiences`))];
  if (all.length > 0) throw invalidRequest(all);
  return { request: attributes, audiences: audiences === undefined ? null : (audiences as readonly string[]) };
}

function audiencePlaces(given: unknown, artefact: Artefact, pointer: string): readonly ProblemPlace[] {
  if (!Array.isArray(given)) return [{ pointer, detail: 'must be a list of audience ids' }];
  const edge = Object.keys(artefact.audiences).filter((id) => artefact.audiences[id]?.edge === true);
  const allowed = edge.length === 0 ? 'the policy marks no audience as edge' : `must be an audience that the policy marks as edge: ${edge.join(', ')}`;
  return given.flatMap((audience, index) => (edge.includes(audience) ? [] : [{ pointer: `${pointer}/${index}`, detail: allowed }]));
}
