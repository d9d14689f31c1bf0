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
    if (yield* isPictureChanged(before, after, id)) changed.add(id);
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

/** Rules and offers looked at between two pauses. */
const piece = 64;

/** In step with each other, so that it ends with the first difference, and no picture is ever whole. */
function* isPictureChanged(before: Artefact, after: Artefact, id: string): Generator<undefined, boolean> {
  const [one, other] = [pictureOf(before, id), pictureOf(after, id)];
  for (let count = 1; ; count++) {
    const [first, second] = [one.next(), other.next()];
    if (first.done || second.done) return first.done !== second.done;
    if (first.value !== second.value) return true;
    if (count % piece === 0) yield;
  }
}

/** All that a shared answer about a zone can come from, bit by bit; nothing of a zone that there is not. */
function* pictureOf(artefact: Artefact, id: string): Generator<string, undefined> {
  const prepared = preparedZone(artefact, id);
  if (prepared === undefined) return;
  const { zone, rungs } = prepared;
  const contentOf = (variant: string) => [variant, artefact.variants[variant]?.content ?? null];
  const closed = (names: readonly string[]) => names.filter((name) => artefact.attributes.request[name]?.specialFeature !== undefined);
  yield JSON.stringify([zone.kind, zone.maxAgeSeconds, arbitrates(artefact, id) ? zone.criticality : 0]);
  for (const { rung, rules, candidates } of rungs) {
    if (tierHeight(rung.tier) > tierHeight('segment')) continue;
    const isForEverybody = rung.tier === 'anonymous';
    const isOpen = isForEverybody || artefact.contextualWithoutSignal;
    const counts = ({ sensitivity }: { readonly sensitivity: Offer['sensitivity'] }) => isForEverybody || sensitivity.class === 'S0';
    yield JSON.stringify(['rung', rung.tier, isOpen]);
    if (!isOpen) continue;
    for (const entry of rules) {
      const { when, variant } = entry.rule;
      if (counts(entry)) yield JSON.stringify(['rule', when, contentOf(variant), closed(entry.reads.request)]);
    }
    for (const entry of candidates) {
      const { reads, sensitivity: _class, lowestTier: _tier, ...rest } = entry.offer;
      if (counts(entry)) yield JSON.stringify(['offer', entry.id, rest, contentOf(rest.variant), closed(reads.request)]);
    }
  }
}
