/**
 * What to purge when one policy takes the place of another: tags of which at least one stands on every shared answer that may now be
 * another. More rather than fewer: it compares what the zones are made of, and not what they come to.
 */
import { type Artefact, type AttributeDeclaration, deviceDefaults, type Offer, type Reads } from '../decision/artefact.ts';
import { artefactTag, policyTag, serviceTag, zoneTag } from '../decision/cache-tags.ts';
import { preparedZone } from '../decision/reading.ts';
import { tierHeight } from '../decision/vocabulary.ts';
import { fitIntoHeader } from './tags.ts';

/** As many zones as one question may be about. */
const zonesAskedMax = 32;

/** Sorted. Empty where every shared answer stays as it is, but for the revision that it names. In pieces: a policy may be large. */
export function* purging(before: Artefact, after: Artefact): Generator<undefined, readonly string[]> {
  const all = [policyTag(before.policy)];
  if (before.policy !== after.policy || (yield* isMoreRefused(before, after))) return all;
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
  for (const id of zonesOfChangedPages(before, after, arbitrating)) changed.add(id);
  const forDevices = (yield* isDevicePictureChanged(before, after)) ? [artefactTag] : [];
  if (changed.size === 0) return forDevices;
  // What devices are given has the tag of the policy, too.
  return changed.size === zones.length || !everyAnswerNamesItsZones(before) ? all : [...forDevices, ...[...changed].map(zoneTag)].sort();
}

/** Whether a question that was answered, of whichever zones, is a mistake now. One about a zone that is no more has the zone's tag. */
function* isMoreRefused(before: Artefact, after: Artefact): Generator<undefined, boolean> {
  if (Object.keys(before.pages).some((page) => !Object.hasOwn(after.pages, page))) return true;
  const isForCallers = (audience: string) => Object.hasOwn(after.audiences, audience) && after.audiences[audience]?.edge === true;
  if (Object.entries(before.audiences).some(([audience, { edge }]) => edge && !isForCallers(audience))) return true;
  for (const [name, declared] of Object.entries(before.attributes.request)) {
    if (!Object.hasOwn(after.attributes.request, name) || !takesAll(after.attributes.request[name], declared)) return true;
    yield;
  }
  return false;
}

/** Another type is taken for a narrower one. */
function takesAll(now: AttributeDeclaration | undefined, { type, values }: AttributeDeclaration): boolean {
  if (now?.type !== type) return false;
  if (now.values === null || values === null) return now.values === null;
  const taken = new Set(now.values);
  return values.every((value) => taken.has(value));
}

/** Who asks for some zones and names the page besides has those on it choose first: zones that came to it are among them, where they arbitrate. */
function zonesOfChangedPages(before: Artefact, after: Artefact, arbitrating: readonly string[]): readonly string[] {
  return Object.entries(before.pages).flatMap(([page, { zones }]) => {
    const now = after.pages[page]?.zones ?? [];
    return zones.join() === now.join() ? [] : [...zones, ...now.filter((id) => arbitrating.includes(id))];
  });
}

/** Else some carry the tag of the policy alone. */
function everyAnswerNamesItsZones({ policy, zones }: Artefact): boolean {
  const tags = Object.keys(zones)
    .map(zoneTag)
    .sort((a, b) => b.length - a.length);
  return fitIntoHeader([policyTag(policy), serviceTag, ...tags.slice(0, zonesAskedMax)]);
}

function arbitrates(artefact: Artefact, id: string): boolean {
  const rungs = preparedZone(artefact, id)?.rungs ?? [];
  return artefact.contextualWithoutSignal && rungs.some(({ rung }) => rung.tier === 'segment' && rung.select.by === 'arbitrate');
}

/** Rules and offers looked at between two pauses. */
const piece = 64;

function isPictureChanged(before: Artefact, after: Artefact, id: string): Generator<undefined, boolean> {
  return areDifferent(pictureOf(before, id), pictureOf(after, id));
}

/** Where devices were given nothing, no cache holds any of it. */
function* isDevicePictureChanged(before: Artefact, after: Artefact): Generator<undefined, boolean> {
  return isForDevices(before) && (!isForDevices(after) || (yield* areDifferent(devicePictureOf(before), devicePictureOf(after))));
}

/** In step with each other, so that it ends with the first difference, and no picture is ever whole. */
function* areDifferent(one: Generator<string, undefined>, other: Generator<string, undefined>): Generator<undefined, boolean> {
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
  const inputs = new Set<string>();
  let readsAudiences = false;
  const note = ({ request, audiences }: Reads) => {
    for (const name of request) inputs.add(name);
    readsAudiences ||= audiences;
  };
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
      if (!counts(entry)) continue;
      note(entry.reads);
      yield JSON.stringify(['rule', when, contentOf(variant)]);
    }
    for (const entry of candidates) {
      if (!counts(entry)) continue;
      const { reads, sensitivity: _class, lowestTier: _tier, ...rest } = entry.offer;
      note(reads);
      yield JSON.stringify(['offer', entry.id, rest, contentOf(rest.variant)]);
    }
  }
  // What a question may say of these decides who can be told apart, and by which values a table does it.
  for (const name of inputs) {
    const { type, values, specialFeature } = artefact.attributes.request[name] ?? {};
    yield JSON.stringify(['attribute', name, type, values, specialFeature]);
  }
  if (readsAudiences)
    for (const name in artefact.audiences) if (artefact.audiences[name]?.edge === true) yield JSON.stringify(['audience', name]);
}

function isForDevices({ device }: Artefact): boolean {
  return (device ?? deviceDefaults).enabled;
}

/** All that what devices are given can come from, bit by bit: what is marked for them, and what everybody is shown. */
function* devicePictureOf(artefact: Artefact): Generator<string, undefined> {
  const { contextualWithoutSignal, device, pages, zones, offers, attributes, variants } = artefact;
  yield JSON.stringify([contextualWithoutSignal, (device ?? deviceDefaults).maxAgeHours]);
  for (const page in pages) yield JSON.stringify(['page', page, pages[page]?.zones]);
  const contentOf = (variant: string) => [variant, variants[variant]?.content ?? null];
  // What an attribute is decides whether its conditions may leave.
  const declared = ({ reads }: Pick<Offer, 'reads'>) => reads.request.map((name) => attributes.request[name]);
  for (const name in attributes.device) yield JSON.stringify(['attribute', name, attributes.device[name]]);
  for (const [id, { kind, criticality, sensitivity, ladder }] of Object.entries(zones)) {
    yield JSON.stringify(['zone', id, kind, criticality, sensitivity.class]);
    for (const { tier, select } of ladder) {
      yield JSON.stringify(['rung', tier]);
      if (tier === 'user') continue;
      for (const rule of select.by === 'choose' ? select.rules : []) {
        if (tier === 'anonymous') yield JSON.stringify(['fallback', contentOf(rule.variant)]);
        else if (rule.device === true) yield JSON.stringify(['rule', rule, contentOf(rule.variant), declared(rule)]);
      }
      for (const name of select.by === 'arbitrate' ? select.offers : []) {
        const offer = Object.hasOwn(offers, name) ? offers[name] : undefined;
        if (offer?.device === true) yield JSON.stringify(['offer', name, offer, contentOf(offer.variant), declared(offer)]);
      }
    }
  }
}
