/**
 * The decision: for every zone the highest rung whose gates all hold and which has something eligible. It cannot fail and it
 * cannot wait: for any artefact that loaded and any evidence it answers, and less evidence never raises a zone's tier.
 */
import { admitEvidence, admitQuestion } from './admit.ts';
import type { Artefact } from './artefact.ts';
import { cacheAnswer } from './cache-scope.ts';

import type { Candidate, ConsentAnswer, Decision, Downgrade, Explanation, Step, ZoneDecision } from './decision.ts';
import { topOfLadder } from './descent.ts';
import { type Evidence, noEvidence } from './facts.ts';
import { failure } from './gate-failure.ts';
import { gateFailure } from './gates.ts';
import type { Question } from './question.ts';
import { type PreparedRung, type PreparedZone, preparedZone } from './reading.ts';
import { type Shown, select } from './select.ts';
import { type Standing, weigh } from './standing.ts';
import type { LateMode, Render } from './vocabulary.ts';
import { gpcUseCases, lateModes, tierHeight } from './vocabulary.ts';

export function decide(artefact: Artefact, question: Question, evidence: Evidence): Decision {
  const asked = admitQuestion(question);
  const standing = weigh(artefact, asked, asked.audience === 'personal' ? admitEvidence(evidence) : noEvidence);
  const shown = shownBefore(standing);
  const decided = new Map<string, ZoneDecision>();
  for (const id of choosingOrder(standing)) decided.set(id, decideZone(standing, id, shown));
  return {
    identity: { state: standing.identity.state },
    consent: consentAnswer(standing),
    zones: standing.question.zones.map((id) => decided.get(id) ?? nothingToShow(id)),
  };
}

function decideZone(standing: Standing, id: string, shown: Shown): ZoneDecision {
  const prepared = preparedZone(standing.artefact, id);
  const ladder = prepared === undefined ? [] : openLadder(standing, prepared);
  const top = ladder[0]?.rung.tier;
  if (prepared === undefined || top === undefined) return nothingToShow(id);
  const { zone } = prepared;
  let descent = topOfLadder;
  const candidates: Candidate[] | null = standing.question.explain ? [] : null;
  for (const rung of ladder) {
    const { tier } = rung.rung;
    const gate = gateFailure(standing, zone, rung);
    const selection = gate === null ? select(standing, zone, rung, shown, candidates) : null;
    if (selection === null) {
      descent = descent.past(tier, gate ?? nothingEligible);
      continue;
    }
    const downgrade = descent.downgradeTo(tier);
    const render = renderOf(standing, zone.late, downgrade);
    const isShown = render !== 'suppress';
    // What a suppressed zone would have shown is free for the others of the page.
    if (isShown) remember(standing.artefact, selection.offer, shown);
    return {
      zone: id,
      tier,
      intendedTier: top,
      variant: isShown ? selection.variant : null,
      offer: isShown ? selection.offer : null,
      content: isShown ? (standing.artefact.variants[selection.variant]?.content ?? null) : null,
      render,
      downgrade,
      cache: cacheAnswer(standing, id, prepared, descent),
      holdout: null,
      propensityPpm: null,
      ...(candidates === null ? {} : { explain: explanation(standing, [...descent.steps, { tier, reason: null }], candidates) }),
    };
  }
  return nothingToShow(id);
}

const nothingEligible = failure('no_eligible_offer');

/** A shared question has its ladders cut at segment. */
function openLadder({ question }: Standing, { rungs }: PreparedZone): readonly PreparedRung[] {
  return question.audience === 'personal' ? rungs : rungs.filter(({ rung }) => tierHeight(rung.tier) <= tierHeight('segment'));
}

const renderWhenLate: Readonly<Record<LateMode, Render>> = { fallback: 'now', defer: 'defer', suppress: 'suppress' };

/**
 * A `late` mode is for what may be better in a moment; a visitor who said no gets the fallback at once. The dependency to blame may
 * ask for more than the zone does, never for less.
 */
function renderOf({ artefact, evidence }: Standing, late: LateMode, downgrade: Downgrade | null): Render {
  if (downgrade === null) return 'now';
  const { cause, dependency, reason } = downgrade;
  const mayPass = cause === 'time' || cause === 'fault' || cause === 'load';
  // The reason is one for every way of having no model; only a fault may pass.
  const isModelFault = reason === 'model_unavailable' && evidence.model.state === 'failed';
  const lateOfDependency = dependency !== null && (mayPass || isModelFault) ? artefact.dependencies[dependency].late : null;
  if (lateOfDependency === null) return mayPass ? renderWhenLate[late] : 'now';
  return renderWhenLate[stricter(late, lateOfDependency)];
}

function stricter(a: LateMode, b: LateMode): LateMode {
  return lateModes.indexOf(a) >= lateModes.indexOf(b) ? a : b;
}

/** Zones choose in order of criticality, then of the page (of the request, where none is named). */
function choosingOrder({ artefact, question }: Standing): readonly string[] {
  const { page, zones } = question;
  if (page === null || !Object.hasOwn(artefact.pages, page)) return byCriticality(artefact, zones);
  const onPage = artefact.pages[page]?.zones ?? [];
  if (zones === onPage) return orderOfPage(artefact, page, onPage);
  return byCriticality(artefact, [...onPage.filter((id) => zones.includes(id)), ...zones.filter((id) => !onPage.includes(id))]);
}

/** For a page that is asked for whole, as most are. */
function orderOfPage(artefact: Artefact, page: string, zones: readonly string[]): readonly string[] {
  let pages = orders.get(artefact);
  if (pages === undefined) {
    pages = new Map();
    orders.set(artefact, pages);
  }
  let order = pages.get(page);
  if (order === undefined) {
    order = byCriticality(artefact, zones);
    pages.set(page, order);
  }
  return order;
}

const orders = new WeakMap<Artefact, Map<string, readonly string[]>>();

function byCriticality(artefact: Artefact, ids: readonly string[]): readonly string[] {
  const criticalityOf = (id: string) => preparedZone(artefact, id)?.zone.criticality ?? 0;
  return ids.toSorted((a, b) => criticalityOf(b) - criticalityOf(a));
}

function shownBefore({ artefact, question }: Standing): Shown {
  const shown: Shown = { offers: new Set(), groups: new Set() };
  for (const offer of question.shownOffers) remember(artefact, offer, shown);
  return shown;
}

function remember(artefact: Artefact, offer: string | null, shown: Shown): void {
  if (offer === null) return;
  shown.offers.add(offer);
  const group = Object.hasOwn(artefact.offers, offer) ? artefact.offers[offer]?.group : undefined;
  if (typeof group === 'string') shown.groups.add(group);
}

function consentAnswer({ consent }: Standing): ConsentAnswer {
  return { ...consent.states, gpc: { received: consent.gpc, honored: consent.gpc ? gpcUseCases : [] } };
}

function explanation(
  { evidence }: Standing,
  rungs: readonly { tier: Step['tier']; reason: Step['reason'] | null }[],
  candidates: readonly Candidate[],
): Explanation {
  const { identity, consent, profile, session, audience, model } = evidence;
  return {
    rungs: rungs.map(({ tier, reason }) => ({ tier, gate: reason })),
    candidates,
    facts: {
      identity: identity.token.state,
      consent: consent.stored.state,
      profile: profile.state,
      session: session.state,
      audience: audience.state,
      model: model.state,
    },
  };
}

/** For a zone that the artefact does not have; the service answers 404 before it asks. */
function nothingToShow(zone: string): ZoneDecision {
  return {
    zone,
    tier: 'anonymous',
    intendedTier: 'anonymous',
    variant: null,
    offer: null,
    content: null,
    render: 'suppress',
    downgrade: null,
    cache: { scope: 'none', maxAgeSeconds: 0, key: null, tags: [], degraded: false },
    holdout: null,
    propensityPpm: null,
  };
}
