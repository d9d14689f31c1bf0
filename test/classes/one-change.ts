/** Policies that differ in one place: what an author may change, by name, on the document as it is written. */
import fc from 'fast-check';
import { baseNowMs } from '../generate/vocabulary.ts';
import { type PolicyDocument, toPolicyText } from '../oracle/document.ts';

/** A policy as JSON, free to be changed. */
// biome-ignore lint/suspicious/noExplicitAny: it is whatever an author could write
type Draft = any;
/** One of a list, the same again in the same run; undefined of an empty one. */
type Pick = <T>(list: readonly T[]) => T;

const iso = (ms: number): string => new Date(ms).toISOString();
const approvedBy = { by: 'somebody', on: '2026-11-01', until: '2027-11-01' };

function put(at: Draft, name: string, value: unknown): void {
  if (at !== undefined) at[name] = value;
}

function one(entries: Draft, pick: Pick): Draft {
  return pick(Object.values(entries ?? {}));
}

function swap(list: Draft, pick: Pick): void {
  if (list === undefined || list.length < 2) return;
  const place = pick([...list.keys()].slice(1));
  [list[place - 1], list[place]] = [list[place], list[place - 1]];
}

function takeOut(list: Draft, pick: Pick): void {
  if (list !== undefined && list.length > 1) list.splice(pick([...list.keys()]), 1);
}

const requestAttribute = (draft: Draft, pick: Pick): Draft => one(draft.attributes.request, pick);
const withValues = (draft: Draft, pick: Pick): Draft =>
  pick(Object.values(draft.attributes.request as Draft).filter((any: Draft) => any.values));
const rungOf = (draft: Draft, pick: Pick, fits: (rung: Draft) => boolean): Draft =>
  pick(Object.values(draft.zones as Draft).flatMap((zone: Draft) => zone.ladder.filter(fits)));
const ruleOf = (draft: Draft, pick: Pick): Draft => {
  const rung = rungOf(draft, pick, ({ choose }) => choose !== undefined);
  return rung && pick(rung.choose);
};
const lastRung = (draft: Draft, pick: Pick): Draft => one(draft.zones, pick).ladder.at(-1);
const variantId = (draft: Draft, pick: Pick): string => pick(Object.keys(draft.variants));

const changes: Readonly<Record<string, (draft: Draft, pick: Pick) => void>> = {
  'the owner': (draft) => put(draft, 'owner', 'somebody else'),
  'whether segments are open': (draft) => put(draft, 'contextualWithoutSignal', draft.contextualWithoutSignal !== true),
  'how old consent may be': (draft) => put(draft, 'consent', { ...draft.consent, maxAgeDays: 7 }),
  'the purposes of consent': (draft) => put(draft, 'consent', { ...draft.consent, path: 'publisher' }),
  'the deadline': (draft) => put(draft, 'deadline', { defaultMs: 61, minMs: 5, maxMs: 501 }),
  'what the failure of a dependency means': (draft, pick) =>
    put(draft, 'dependencies', {
      [pick(['identity', 'consent', 'profile', 'session'])]: { onFailure: 'anonymous', late: 'suppress', retries: 1 },
    }),
  'what is switched on for S3': (draft) => put(draft, 'sensitive', { S3: { enabled: true, categories: ['health', 'faith'] } }),
  'whether devices are given anything': (draft) => put(draft, 'device', { enabled: draft.device?.enabled === false }),
  'how long devices use it': (draft) => put(draft, 'device', { ...draft.device, maxAgeHours: 3 }),
  'a device attribute more': (draft) => put(draft.attributes, 'device', { mood: { type: 'string', class: 'S0' } }),

  'a value more': (draft, pick) => put(withValues(draft, pick), 'values', [...(withValues(draft, pick)?.values ?? []), 'FR']),
  'a value less': (draft, pick) => takeOut(withValues(draft, pick)?.values, pick),
  'values in another order': (draft, pick) => swap(withValues(draft, pick)?.values, pick),
  'any value at all': (draft, pick) => delete withValues(draft, pick)?.values,
  'few values': (draft, pick) => {
    const attribute = requestAttribute(draft, pick);
    if (attribute.type === 'string' || attribute.type === 'strings') attribute.values = ['a', 'DE'];
  },
  'the type of an attribute': (draft, pick) => put(requestAttribute(draft, pick), 'type', pick(['string', 'int', 'bool', 'strings'])),
  'the class of an attribute': (draft, pick) => put(requestAttribute(draft, pick), 'class', pick(['S0', 'S1'])),
  'what an attribute needs an opt-in for': (draft, pick) => put(requestAttribute(draft, pick), 'specialFeature', pick([1, 2])),
  'an attribute more': (draft) => put(draft.attributes.request, 'fresh', { type: 'string', class: 'S0' }),
  'an attribute less': (draft, pick) => delete draft.attributes.request[pick(Object.keys(draft.attributes.request))],
  'an audience more': (draft) => put(draft.audiences, 'fresh', { class: 'S0', edge: true }),
  'an audience less': (draft, pick) => delete draft.audiences[pick(Object.keys(draft.audiences ?? {}))],
  'whether callers name an audience': (draft, pick) => {
    const audience = one(draft.audiences, pick);
    put(audience, 'edge', audience?.edge !== true);
  },

  'the zones of a page in another order': (draft, pick) => swap(one(draft.pages, pick).zones, pick),
  'a zone less on a page': (draft, pick) => takeOut(one(draft.pages, pick).zones, pick),
  'a zone more on a page': (draft, pick) => {
    const { zones } = one(draft.pages, pick);
    const others = Object.keys(draft.zones).filter((id) => !zones.includes(id));
    if (others.length > 0) zones.push(pick(others));
  },
  'the deadline of a page': (draft, pick) => put(one(draft.pages, pick), 'deadlineMs', 77),
  'a page less': (draft, pick) => delete draft.pages[pick(Object.keys(draft.pages))],
  'a page more': (draft, pick) => put(draft.pages, 'fresh', { zones: [pick(Object.keys(draft.zones))] }),

  'a zone less': (draft, pick) => {
    const zone = pick(Object.keys(draft.zones));
    delete draft.zones[zone];
    for (const [page, { zones }] of Object.entries<Draft>(draft.pages)) {
      draft.pages[page].zones = zones.filter((id: string) => id !== zone);
      if (draft.pages[page].zones.length === 0) delete draft.pages[page];
    }
  },
  'a zone more': (draft, pick) => put(draft.zones, 'fresh', structuredClone(one(draft.zones, pick))),
  'which zones choose first': (draft, pick) => put(one(draft.zones, pick), 'criticality', pick([0, 1, 2, 3])),
  'the kind of a zone': (draft, pick) => put(one(draft.zones, pick), 'kind', pick(['content', 'offer'])),
  'what a zone does when late': (draft, pick) => put(one(draft.zones, pick), 'late', pick(['fallback', 'defer', 'suppress'])),
  'the budget of a zone': (draft, pick) => put(one(draft.zones, pick), 'budgetMs', 33),
  'the class of a zone': (draft, pick) => put(one(draft.zones, pick), 'class', pick(['S0', 'S1', 'S2'])),
  'how long a zone is kept': (draft, pick) => put(one(draft.zones, pick), 'cache', { maxAgeSeconds: pick([0, 1, 59]) }),
  'a rung less': (draft, pick) => {
    const { ladder } = one(draft.zones, pick);
    if (ladder.length > 1) ladder.splice(pick([...ladder.keys()].slice(0, -1)), 1);
  },
  'a rung more': (draft, pick) => {
    const { ladder } = one(draft.zones, pick);
    if (!ladder.some(({ tier }: Draft) => tier === 'segment')) {
      ladder.splice(-1, 0, { tier: 'segment', choose: [{ when: 'request.mobile', variant: variantId(draft, pick) }] });
    }
  },
  'who approved a variant': (draft, pick) => put(lastRung(draft, pick), 'approved', { ...approvedBy, by: 'another' }),
  'until when a variant is approved': (draft, pick) => put(lastRung(draft, pick), 'approved', { ...approvedBy, until: '2028-01-01' }),
  'the variant for everybody': (draft, pick) => put(lastRung(draft, pick), 'variant', variantId(draft, pick)),
  'which offers a rung arbitrates': (draft, pick) =>
    put(
      rungOf(draft, pick, ({ arbitrate }) => arbitrate !== undefined),
      'arbitrate',
      { tag: pick(['t1', 't2']) },
    ),

  'the rules in another order': (draft, pick) => swap(rungOf(draft, pick, ({ choose }) => choose !== undefined)?.choose, pick),
  'a rule less': (draft, pick) => takeOut(rungOf(draft, pick, ({ choose }) => choose !== undefined)?.choose, pick),
  'when a rule applies': (draft, pick) =>
    put(ruleOf(draft, pick), 'when', pick(['request.mobile', '"app" in audiences', 'request.country == "AT"', 'size(audiences) > 1'])),
  'the variant of a rule': (draft, pick) => put(ruleOf(draft, pick), 'variant', variantId(draft, pick)),
  'the class of a rule': (draft, pick) => put(ruleOf(draft, pick), 'class', pick(['S0', 'S1'])),
  'whether a rule is for devices': (draft, pick) => {
    const rule = ruleOf(draft, pick);
    put(rule, 'device', rule?.device !== true);
  },

  'the content of a variant': (draft, pick) => put(one(draft.variants, pick), 'content', 'another'),
  'the class of a variant': (draft, pick) => put(one(draft.variants, pick), 'class', pick(['S0', 'S1'])),

  'an offer less': (draft, pick) => delete draft.offers[pick(Object.keys(draft.offers))],
  'an offer more': (draft, pick) => put(draft.offers, 'fresh', structuredClone(one(draft.offers, pick))),
  'the variant of an offer': (draft, pick) => put(one(draft.offers, pick), 'variant', variantId(draft, pick)),
  'when an offer applies': (draft, pick) =>
    put(one(draft.offers, pick), 'when', pick(['request.mobile', '"app" in audiences', 'request.country != "DE"'])),
  'what an offer is worth': (draft, pick) => put(one(draft.offers, pick), 'value', pick([1, 50, 1000])),
  'how likely an offer is': (draft, pick) => put(one(draft.offers, pick), 'propensityPpm', pick([0, 2, 999_999])),
  'what raises an offer': (draft, pick) => put(one(draft.offers, pick), 'context', [{ when: 'request.mobile', perMille: pick([0, 5000]) }]),
  'the levers of an offer': (draft, pick) => put(one(draft.offers, pick), 'levers', { season: pick([-999, 9000]) }),
  'the group of an offer': (draft, pick) => put(one(draft.offers, pick), 'group', pick(['g1', 'g2'])),
  'the tags of an offer': (draft, pick) => put(one(draft.offers, pick), 'tags', pick([['t1'], ['t2'], ['t1', 't2']])),
  'when an offer opens': (draft, pick) => put(one(draft.offers, pick), 'from', iso(baseNowMs + pick([-1000, 2000]))),
  'when an offer closes': (draft, pick) => put(one(draft.offers, pick), 'until', iso(baseNowMs + pick([1, 2000, 500_000]))),
  'the class of an offer': (draft, pick) => put(one(draft.offers, pick), 'class', pick(['S0', 'S1'])),
  'whether an offer is for devices': (draft, pick) => {
    const offer = one(draft.offers, pick);
    put(offer, 'device', offer?.device !== true);
  },
};

export interface OneChange {
  readonly name: string;
  /** As texts. */
  readonly before: string;
  readonly after: string;
}

/** Beside what is generated there are a second page, an attribute that nothing reads and, in some, offers that are for devices. */
export function oneChangeOf(policies: fc.Arbitrary<PolicyDocument>): fc.Arbitrary<OneChange> {
  return fc
    .record({
      document: policies,
      name: fc.constantFrom(...Object.keys(changes)),
      extra: fc.record({ markEach: fc.constantFrom(0, 0, 0, 1, 2), secondPage: fc.nat(3) }),
      picks: fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }),
    })
    .map(({ document, name, extra, picks }) => {
      const draft: Draft = JSON.parse(toPolicyText(document));
      draft.attributes.request.unread = { type: 'string', values: ['x', 'y'], class: 'S0' };
      const ids = Object.keys(draft.zones);
      draft.pages.rest = { zones: [ids[extra.secondPage % ids.length]] };
      for (const [place, offer] of Object.values<Draft>(draft.offers ?? {}).entries())
        if (place % extra.markEach === 0 && offer.class === 'S0') offer.device = true;
      const before = JSON.stringify(draft);
      let next = 0;
      // A change that asks for the same list again means the same one of it.
      const known = new Map<string, number>();
      const pick: Pick = (list) => {
        const key = JSON.stringify(list);
        const drawn = known.get(key) ?? picks[next++ % picks.length] ?? 0;
        known.set(key, drawn);
        return list[drawn % list.length] as (typeof list)[number];
      };
      changes[name]?.(draft, pick);
      return { name, before, after: JSON.stringify(draft) };
    });
}
