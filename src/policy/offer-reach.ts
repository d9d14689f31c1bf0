/** Whether any rung can ever show an offer: it must be selected by a rung that may read all it reads and show its class. */
import { type Tier, tierHeight } from '../decision/vocabulary.ts';
import { type Candidate, warnIfNeverEligible } from './eligibility.ts';
import type { DeclaredOffer } from './offers.ts';
import type { Report } from './problems.ts';
import { nearestName } from './suggest.ts';

export function checkOfferReach(
  report: Report,
  offers: ReadonlyMap<string, DeclaredOffer>,
  tiersByTag: ReadonlyMap<string, ReadonlySet<Tier>>,
  around: Pick<Candidate, 'enabledCategories'>,
): void {
  for (const [id, { offer, at, labelled, tags }] of offers) {
    const what = `offer \`${id}\``;
    for (const { tag, at: tagAt } of tags) {
      if (tiersByTag.has(tag)) continue;
      const near = nearestName(tag, [...tiersByTag.keys()]);
      const advice = near === null ? `write \`arbitrate: { tag: ${tag} }\` on a rung, or remove the tag` : `did you mean \`${near}\`?`;
      report.warning('tag-unselected', tagAt, `no rung selects tag \`${tag}\` of ${what}: ${advice}`);
    }
    const selecting = tags.flatMap(({ tag }) => [...(tiersByTag.get(tag) ?? [])]);
    const highest = highestTier(selecting);
    if (highest === null) continue;
    checkDeviceReach(report, { what, at: tags[0]?.at ?? at, offer, selecting });
    if (tierHeight(highest) < tierHeight(offer.lowestTier)) {
      const message = `${what} reads what only a ${offer.lowestTier} rung may, and its tags are selected no higher than on a ${highest} rung: select one of its tags on a ${offer.lowestTier} rung, or let it read less`;
      report.error('offer-never-reached', tags[0]?.at ?? at, message);
    }
    if (labelled) warnIfNeverEligible(report, { ...around, at, what, sensitivity: offer.sensitivity, tier: highest });
  }
}

interface OnDevice extends Pick<DeclaredOffer, 'offer' | 'at'> {
  readonly what: string;
  readonly selecting: readonly Tier[];
}

/** A user rung is never decided on a device, and a segment rung by nothing that only a device knows. */
function checkDeviceReach(report: Report, { what, at, offer, selecting }: OnDevice): void {
  if (offer.device === undefined) return;
  if (offer.reads.device !== undefined && !selecting.includes('session')) {
    const message = `${what} reads what only a device knows, and its tags are selected on no session rung: select one of its tags on a session rung, or let it read less`;
    report.error('offer-never-reached', at, message);
  } else if (!selecting.some((tier) => tier === 'session' || tier === 'segment')) {
    const advice = 'select one of its tags on a session or segment rung, or leave the mark out';
    report.warning('device-unreached', at, `${what} is marked \`device: true\`, and no rung that a device decides selects it: ${advice}`);
  }
}

function highestTier(tiers: readonly Tier[]): Tier | null {
  return tiers.reduce<Tier | null>((highest, tier) => (highest === null || tierHeight(tier) > tierHeight(highest) ? tier : highest), null);
}

/** Ids of offers by tag, in the policy's order. One list serves every rung that selects the tag. */
export function indexByTag(offers: ReadonlyMap<string, DeclaredOffer>): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>();
  for (const [id, { tags }] of offers) {
    for (const tag of new Set(tags.map(({ tag }) => tag))) {
      const ids = index.get(tag);
      if (ids === undefined) index.set(tag, [id]);
      else ids.push(id);
    }
  }
  return index;
}
