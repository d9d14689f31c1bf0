/**
 * What to purge when one policy takes the place of another: tags of which at least one stands on every shared answer that may now be
 * another. More rather than fewer: it compares what the zones are made of, and not what they come to.
 */
import type { Artefact, Offer } from '../decision/artefact.ts';
import { preparedZone } from '../decision/reading.ts';
import { tierHeight } from '../decision/vocabulary.ts';
import { fitIntoHeader, policyTag, zoneTag } from './tags.ts';

/** As many zones as one question may be about. */
const zonesAskedMax = 32;

/** Sorted. Empty where every shared answer stays as it is, but for the revision that it names. In pieces: a policy may be large. */
export function* purging(before: Artefact, after: Artefact): Generator<undefined, readonly string[]> {
  const all = [policyTag(before.policy)];
  if (before.policy !== after.policy) return all;
  const zones = Object.keys(before.zones);
  const changed = new Set<string>();
  for (const id of zones) {
    if (pictureOf(before, id) !== pictureOf(after, id)) changed.add(id);
    yield;
  }
  // Zones that arbitrate keep offers from each other, whichever are asked for together.
  const arbitrating = zones.filter((id) => arbitrates(before, id));
  const isAnyChanged = arbitrating.some((id) => changed.has(id)) || zones.some((id) => arbitrates(after, id) && changed.has(id));
  if (isAnyChanged) for (const id of arbitrating) changed.add(id);
  for (const id of zonesOfChangedPages(before, after)) changed.add(id);
  if (changed.size === 0) return [];
  return changed.size === zones.length || !everyAnswerNamesItsZones(before) ? all : [...changed].map(zoneTag).sort();
}

function zonesOfChangedPages(before: Artefact, after: Artefact): readonly string[] {
  return Object.entries(before.pages)
    .filter(([page, { zones }]) => zones.join() !== (Object.hasOwn(after.pages, page) ? after.pages[page]?.zones.join() : undefined))
    .flatMap(([, { zones }]) => zones);
}

/** Else some carry the tag of the policy alone. */
function everyAnswerNamesItsZones({ policy, zones }: Artefact): boolean {
  const tags = Object.keys(zones)
    .map(zoneTag)
    .sort((a, b) => b.length - a.length);
  return fitIntoHeader([policyTag(policy), 'stepwell', ...tags.slice(0, zonesAskedMax)]);
}

function arbitrates(artefact: Artefact, id: string): boolean {
  const rungs = preparedZone(artefact, id)?.rungs ?? [];
  return artefact.contextualWithoutSignal && rungs.some(({ rung }) => rung.tier === 'segment' && rung.select.by === 'arbitrate');
}

/** All that a shared answer about a zone can come from; undefined for a zone that there is not. */
function pictureOf(artefact: Artefact, id: string): string | undefined {
  const prepared = preparedZone(artefact, id);
  if (prepared === undefined) return undefined;
  const { zone, rungs } = prepared;
  const contentOf = (variant: string) => [variant, artefact.variants[variant]?.content ?? null];
  const shared = rungs.filter(({ rung }) => tierHeight(rung.tier) <= tierHeight('segment'));
  const ladder = shared.map(({ rung, rules, candidates }) => {
    const isOpen = rung.tier === 'anonymous' || artefact.contextualWithoutSignal;
    const counted = ({ sensitivity }: { readonly sensitivity: Offer['sensitivity'] }) =>
      rung.tier === 'anonymous' || sensitivity.class === 'S0';
    const open = isOpen ? { rules: rules.filter(counted), offers: candidates.filter(counted) } : { rules: [], offers: [] };
    const reads = [...open.rules, ...open.offers].flatMap((entry) => entry.reads.request);
    return {
      tier: rung.tier,
      isOpen,
      rules: open.rules.map(({ rule: { when, variant } }) => [when, contentOf(variant)]),
      offers: open.offers.map(({ id: offer, offer: { reads: _reads, sensitivity: _class, lowestTier: _tier, ...rest } }) => [
        offer,
        rest,
        contentOf(rest.variant),
      ]),
      closed: [...new Set(reads)].sort().filter((name) => artefact.attributes.request[name]?.specialFeature !== undefined),
    };
  });
  return JSON.stringify({
    kind: zone.kind,
    maxAgeSeconds: zone.maxAgeSeconds,
    criticality: arbitrates(artefact, id) ? zone.criticality : 0,
    ladder,
  });
}
