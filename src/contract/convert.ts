/**
 * From the wire to the core's question and back to the wire. Everything a policy must agree with is checked here: pages, zones,
 * attributes and audiences.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { Decision } from '../decision/decision.ts';
import type { Question } from '../decision/question.ts';
import { audiencePlaces, edgeAudiences, isStrings, readAttributes } from './attributes.ts';
import { invalidRequest, ProblemError, type ProblemPlace } from './problem.ts';
import { type DecideRequest, decideRequest } from './schemas.ts';
import { validatorOf } from './validate.ts';

/** The shape alone; `toAsking` holds it against the policy. Throws the problem. */
export const readDecideRequest = validatorOf(decideRequest);

/** A question, and for each of its zones how long it waits. */
export interface Asking {
  readonly question: Question;
  readonly zones: readonly ZoneAsked[];
  /** What the caller declared in the body; null when nothing. */
  readonly deadlineMs: number | null;
  /** Before the policy's bounds: the page's deadline, or the policy's default. */
  readonly defaultDeadlineMs: number;
}

export interface ZoneAsked {
  readonly zone: string;
  /** The smaller of the caller's and the policy's; null: as long as the deadline allows. */
  readonly budgetMs: number | null;
}

export function toAsking(request: DecideRequest, artefact: Artefact, nowMs: number): Asking {
  const page = request.page ? request.page : null;
  const { ids, zones } = zonesAsked(request, page, artefact);
  const { audiences, ...given } = request.context ?? {};
  const { attributes, places } = readAttributes(given, artefact.attributes.request, '/context');
  const wrong = [...places, ...wrongAudiences(audiences, artefact)];
  if (wrong.length > 0) throw invalidRequest(wrong);
  return {
    question: {
      nowMs,
      audience: 'personal',
      page,
      zones: ids,
      shownOffers: [],
      request: attributes,
      audiences: isStrings(audiences) ? audiences : null,
      explain: request.explain === true,
    },
    zones,
    deadlineMs: request.deadlineMs ?? null,
    defaultDeadlineMs: defaultDeadlineMs(artefact, page),
  };
}

/** A page that is asked for whole keeps its own list, so that what is known of it need not be found out again. */
function zonesAsked(
  { zones }: DecideRequest,
  page: string | null,
  artefact: Artefact,
): { readonly ids: readonly string[]; readonly zones: readonly ZoneAsked[] } {
  if (page === null && zones === undefined) throw invalidRequest([{ pointer: '', detail: '`page` or `zones` is needed' }]);
  const onPage = page === null ? [] : zonesOfPage(artefact, page, { pointer: '/page' });
  if (zones === undefined)
    return { ids: onPage, zones: onPage.map((id) => ({ zone: id, budgetMs: artefact.zones[id]?.budgetMs ?? null })) };
  const asked = zones.map((zone) => (typeof zone === 'string' ? { id: zone } : zone));
  const ids = asked.map(({ id }) => id);
  checkZones(artefact, ids, (index) => ({ pointer: `/zones/${index}` }));
  return { ids, zones: asked.map((zone) => ({ zone: zone.id, budgetMs: budgetOf(zone, artefact) })) };
}

function budgetOf(asked: { readonly id: string; readonly budgetMs?: number | undefined }, artefact: Artefact): number | null {
  const policyMs = artefact.zones[asked.id]?.budgetMs ?? null;
  if (asked.budgetMs === undefined) return policyMs;
  return policyMs === null ? asked.budgetMs : Math.min(policyMs, asked.budgetMs);
}

function wrongAudiences(given: unknown, artefact: Artefact): readonly ProblemPlace[] {
  if (given === undefined || given === '') return [];
  if (!isStrings(given)) return [{ pointer: '/context/audiences', detail: 'audiences are a list: write a list of texts' }];
  return audiencePlaces(given, edgeAudiences(artefact), '/context/audiences');
}

function defaultDeadlineMs(artefact: Artefact, page: string | null): number {
  return (page === null ? null : artefact.pages[page]?.deadlineMs) ?? artefact.deadline.defaultMs;
}

export function zonesOfPage(artefact: Artefact, page: string, place: Omit<ProblemPlace, 'detail'>): readonly string[] {
  const found = Object.hasOwn(artefact.pages, page) ? artefact.pages[page] : undefined;
  if (found !== undefined) return found.zones;
  throw new ProblemError('unknown_page', undefined, [{ ...place, detail: 'the policy has no such page' }]);
}

/** Every zone exists and stands once. */
export function checkZones(artefact: Artefact, ids: readonly string[], placeOf: (index: number) => Omit<ProblemPlace, 'detail'>): void {
  const repeated = ids.flatMap((id, index) =>
    ids.indexOf(id) < index ? [{ ...placeOf(index), detail: 'a zone may be asked for only once' }] : [],
  );
  if (repeated.length > 0) throw invalidRequest(repeated);
  const unknown = ids.flatMap((id, index) =>
    Object.hasOwn(artefact.zones, id) ? [] : [{ ...placeOf(index), detail: 'the policy has no such zone' }],
  );
  if (unknown.length > 0) throw new ProblemError('unknown_zone', undefined, unknown.slice(0, 16));
}

/** Which policy answered. */
export interface PolicyInForce {
  readonly artefact: Artefact;
  readonly stale: boolean;
}

export interface DeadlineAnswer {
  readonly declaredMs: number | null;
  readonly effectiveMs: number;
}

/** INVARIANT: the members of every object below stand in the order of the contract, because they are written as they stand. */
export function toEnvelope(
  decisionId: string,
  policy: PolicyInForce,
  deadline: DeadlineAnswer,
  { identity, consent }: Pick<Decision, 'identity' | 'consent'>,
) {
  return { decisionId, policy: toPolicyAnswer(policy), deadline, identity, consent };
}

function toPolicyAnswer({ artefact, stale }: PolicyInForce) {
  return { id: artefact.policy, revision: artefact.revision, stale };
}

/**
 * Nothing of the moment in it: the same question and policy give the same bytes. So it never says that the policy is stale, because caches would
 * go on saying so after it was mended; what a policy decides does not change by a newer one that did not load.
 */
export function toSharedEnvelope({ artefact }: Pick<PolicyInForce, 'artefact'>) {
  return { policy: toPolicyAnswer({ artefact, stale: false }) };
}
