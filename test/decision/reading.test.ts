/** What a rung could read, as written: what stands on it, what counts at an instant, and that it is worked out once and in pieces. */
import { describe, expect, test } from 'vitest';
import type { Artefact, Offer } from '../../src/decision/artefact.ts';
import {
  isInWindow,
  type PreparedRung,
  preparation,
  preparedZone,
  type RungReads,
  readsOf,
  requestFactEntries,
} from '../../src/decision/reading.ts';
import { compilePolicy } from '../../src/policy/compile.ts';

const nowMs = Date.UTC(2026, 10, 21);
const opensMs = Date.UTC(2026, 11, 1);
const closesMs = Date.UTC(2026, 11, 24);
const openMs = Date.UTC(2026, 11, 10);

const window = 'from: 2026-12-01T00:00:00Z, until: 2026-12-24T00:00:00Z';
const weighed = 'variant: there, propensityPpm: 1000, value: 10';
/** What an offer may read, beside one that reads nothing. */
const reading = {
  profile: `when: 'profile.loyalty == "gold"'`,
  session: `when: 'session.views > 3'`,
  audience: `when: '"lapsed" in audiences'`,
  edge: `when: '"newsletter" in audiences'`,
  model: 'propensity: model',
  classed: 'class: S1',
} as const;
const readings = Object.keys(reading) as (keyof typeof reading)[];

const text = `
stepwell: 1
policy: preparing
attributes:
  request: { country: { type: string, class: S0 }, since: { type: timestamp, class: S0 } }
  session: { views: { type: int, class: S1 } }
  device: { recent: { type: strings, class: S0 } }
  profile: { loyalty: { type: string, class: S1 }, ill: { type: bool, class: S3, category: health } }
audiences: { lapsed: { class: S1 }, newsletter: { class: S0, edge: true } }
contextualWithoutSignal: true
dependencies:
  audience: { source: http, url: 'https://aud.example/{subject}', map: { audiences: response.names } }
  model: { source: http, class: S1, method: POST, url: 'https://rec.example/', map: { propensityPpm: response.scores } }
zones:
  rules: { kind: content, ladder: [ { tier: user, choose: [
    { when: 'profile.ill', variant: other },
    { when: 'profile.loyalty == "gold"', variant: other },
    { when: 'now < timestamp("2026-12-01T00:00:00Z") && request.country == "DE"', variant: there },
    { when: 'now > request.since', variant: there },
    { variant: there } ] }, LAST ] }
  ondevice: { kind: content, ladder: [ { tier: session, choose: [
    { when: '"shoes" in device.recent || request.country == "DE"', variant: there, device: true },
    { when: 'request.country == "DE"', variant: there, device: true } ] }, LAST ] }
  dear: { kind: content, class: S2, ladder: [ { tier: user, choose: [ { when: 'request.country == "DE"', variant: there } ] }, LAST ] }
  rail: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: rail } }, { tier: session, arbitrate: { tag: rail } }, { tier: segment, arbitrate: { tag: rail } }, LAST ] }
${readings.map((name) => `  ${name}-comes: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: ${name}-comes } }, LAST ] }`).join('\n')}
${readings.map((name) => `  ${name}-stays: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: ${name}-stays } }, LAST ] }`).join('\n')}
variants: { plain: { content: plain }, there: { content: there }, other: { content: other } }
offers:
  open: { tags: [rail], class: S0, variant: there, propensityPpm: 1000, value: 10 }
  better: { tags: [rail], class: S0, variant: there, propensityPpm: 2000, value: 10, context: [ { when: 'now < timestamp("2026-12-24T00:00:00Z")', perMille: 3000 } ] }
  advent: { tags: [rail], class: S0, ${window}, variant: there, propensityPpm: 3000, value: 10, when: 'request.country == "DE"' }
  begun: { tags: [rail], class: S1, from: 2026-12-01T00:00:00Z, variant: there, propensityPpm: 500, value: 10 }
  ending: { tags: [rail], class: S0, until: 2026-12-24T00:00:00Z, variant: there, propensityPpm: 400, value: 10 }
  visiting: { tags: [rail], class: S1, variant: there, propensityPpm: 300, value: 10, when: 'session.views > 1' }
  golden: { tags: [rail], class: S1, variant: there, propensityPpm: 200, value: 10, when: 'profile.loyalty == "gold"' }
  recent: { tags: [rail], class: S0, variant: there, propensityPpm: 50, value: 10, when: '"shoes" in device.recent || request.country == "DE"', device: true }
  drifting: { tags: [rail], class: S0, variant: there, propensityPpm: 50, value: 10, when: 'now > request.since', context: [ { when: 'now < timestamp("2026-12-24T00:00:00Z")', perMille: 1100 } ] }
  healing: { tags: [rail], class: S3, category: health, variant: there, propensityPpm: 100, value: 10 }
${readings.map((name) => `  ${name}-window: { tags: [${name}-comes], ${name === 'classed' ? '' : 'class: S0, '}${reading[name]}, ${window}, ${weighed} }`).join('\n')}
${readings.map((name) => `  ${name}-beside: { tags: [${name}-comes], class: S0, ${weighed} }`).join('\n')}
${readings.map((name) => `  ${name}-always: { tags: [${name}-stays], ${name === 'classed' ? '' : 'class: S0, '}${reading[name]}, ${weighed} }`).join('\n')}
${readings.map((name) => `  ${name}-other: { tags: [${name}-stays], class: S0, ${window}, ${weighed} }`).join('\n')}
`.replaceAll('LAST', '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }');

function compiled(source: string): Artefact {
  const { artefact, problems } = compilePolicy(source, { file: 'preparing.yaml', nowMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const artefact = compiled(text);

/** Worked out anew each time, unless a test says otherwise. */
function rungOf(id: string, tier: string, by: Artefact = { ...artefact }): PreparedRung {
  const rung = preparedZone(by, id)?.rungs.find(({ rung }) => rung.tier === tier);
  if (rung === undefined) throw new Error(`no ${tier} rung in ${id}`);
  return rung;
}

const idsOf = (entries: readonly object[]) => entries.map((entry) => ('id' in entry ? entry.id : null));

describe('of the offers of a rung', () => {
  test('all that are there stand on it, in the order of the policy, and those count that it may read and whose class is enabled', () => {
    const all = ['advent', 'begun', 'better', 'drifting', 'ending', 'golden', 'healing', 'open', 'recent', 'visiting'];
    const candidates = {
      user: ['advent', 'better', 'open', 'begun', 'ending', 'visiting', 'golden', 'drifting'],
      session: ['advent', 'better', 'open', 'begun', 'ending', 'visiting', 'drifting'],
      segment: ['advent', 'better', 'open', 'begun', 'ending', 'drifting'],
    };
    for (const [tier, ids] of Object.entries(candidates)) {
      const rung = rungOf('rail', tier);
      expect(idsOf(rung.offers).toSorted()).toEqual(all);
      expect(idsOf(rung.candidates).toSorted()).toEqual(ids.toSorted());
    }
  });

  test('the one that may reach most comes first', () => {
    const { candidates } = rungOf('rail', 'user');
    const most = candidates.map(({ priorityMax }) => priorityMax);
    expect(most).toEqual(most.toSorted((a, b) => b - a));
    expect(idsOf(candidates)[0]).toBe('better');
    expect(idsOf(candidates).at(-1)).toBe('drifting');
  });

  test('those with a window come and go, and the others stay', () => {
    const { always, windowed } = rungOf('rail', 'segment');
    expect(idsOf(windowed).toSorted()).toEqual(['advent', 'begun', 'ending']);
    expect(idsOf(always).toSorted()).toEqual(['better', 'drifting', 'open']);
  });

  test('those that nobody knows are none', () => {
    const zone = artefact.zones.rail as Artefact['zones'][string];
    const select = { by: 'arbitrate', offers: ['nothing', 'open', 'constructor', '__proto__'] } as const;
    const ladder = [{ tier: 'user', select, approved: null }] as const;
    const by = { ...artefact, zones: { rail: { ...zone, ladder } } };
    expect(idsOf(rungOf('rail', 'user', by).offers)).toEqual(['open']);
  });

  const at = (tier: string, ms: number) => idsOf(requestFactEntries(rungOf('rail', tier), ms));
  test('those for everybody are of class S0, and open', () => {
    expect(at('segment', nowMs).toSorted()).toEqual(['better', 'drifting', 'ending', 'open']);
    expect(at('segment', openMs).toSorted()).toEqual(['advent', 'better', 'drifting', 'ending', 'open']);
    expect(at('segment', closesMs).toSorted()).toEqual(['better', 'drifting', 'open']);
  });

  test.each([
    [null, null, [true, true, true, true, true]],
    [opensMs, null, [false, false, true, true, true]],
    [null, closesMs, [true, true, true, true, false]],
    [opensMs, closesMs, [false, false, true, true, false]],
  ])('one is open from its first instant until before its last: %s to %s', (fromMs, untilMs, open) => {
    const times = [-1, opensMs - 1, opensMs, closesMs - 1, closesMs];
    expect(times.map((ms) => isInWindow({ fromMs, untilMs } as Offer, ms))).toEqual(open);
  });
});

describe('of the rules of a rung', () => {
  test('all stand on it, and those count whose class is enabled and that ask for nothing that only a device knows', () => {
    const { rules, always } = rungOf('rules', 'user');
    expect(rules.map(({ sensitivity }) => sensitivity.class)).toEqual(['S3', 'S1', 'S0', 'S0', 'S0']);
    expect(always).toEqual(rules.slice(1));
    const enabled = { ...artefact, sensitiveCategories: ['health'] };
    expect(rungOf('rules', 'user', enabled).always).toHaveLength(rules.length);
    const ofDevices = rungOf('ondevice', 'session');
    expect(ofDevices.always).toEqual(ofDevices.rules.slice(1));
  });

  test('each tells at which instants it may change, where that can be told', () => {
    expect(rungOf('rules', 'user').rules.map(({ edgesMs }) => edgesMs)).toEqual([[], [], [opensMs, opensMs + 1], null, []]);
    const edges = Object.fromEntries(rungOf('rail', 'segment').offers.map(({ id, edgesMs }) => [id, edgesMs]));
    expect(edges).toMatchObject({ better: [closesMs, closesMs + 1], advent: [], open: [], drifting: null });
  });

  test('each is of the class of its zone at least', () => {
    expect(rungOf('dear', 'user').rules.map(({ sensitivity }) => sensitivity.class)).toEqual(['S2']);
  });

  test('there are none where offers compete, and no offers where there are rules', () => {
    expect(rungOf('rail', 'user').rules).toEqual([]);
    expect(rungOf('rules', 'user').offers).toEqual([]);
  });
});

describe('what a rung could use', () => {
  const nothing: RungReads = { profile: false, session: false, audience: false, model: false, audiences: false, beyondRequestFacts: false };
  const expected: Readonly<Record<keyof typeof reading, RungReads>> = {
    profile: { ...nothing, profile: true, beyondRequestFacts: true },
    session: { ...nothing, session: true, beyondRequestFacts: true },
    audience: { ...nothing, audience: true, audiences: true, beyondRequestFacts: true },
    edge: { ...nothing, audiences: true },
    model: { ...nothing, model: true, beyondRequestFacts: true },
    classed: { ...nothing, beyondRequestFacts: true },
  };

  test.each(readings)('is what an offer reads while it is open: %s', (name) => {
    const rung = rungOf(`${name}-comes`, 'user');
    expect(readsOf(rung, openMs)).toStrictEqual(expected[name]);
    for (const ms of [nowMs, opensMs - 1, closesMs]) expect(readsOf(rung, ms)).toStrictEqual(nothing);
  });

  test.each(readings)('is what an offer reads that is always open, whatever opens beside it: %s', (name) => {
    const rung = rungOf(`${name}-stays`, 'user');
    for (const ms of [nowMs, openMs, closesMs]) expect(readsOf(rung, ms)).toStrictEqual(expected[name]);
  });

  test('is what both read, where one is open and the other always', () => {
    const rung = rungOf('rail', 'user');
    expect(readsOf(rung, nowMs)).toStrictEqual({ ...nothing, profile: true, session: true, beyondRequestFacts: true });
    expect(readsOf(rungOf('rail', 'segment'), nowMs)).toStrictEqual(nothing);
    expect(readsOf(rungOf('rail', 'segment'), opensMs)).toStrictEqual({ ...nothing, beyondRequestFacts: true });
  });

  test('is what its rules read', () => {
    expect(readsOf(rungOf('rules', 'user'), nowMs)).toStrictEqual({ ...nothing, profile: true, beyondRequestFacts: true });
    expect(readsOf(rungOf('dear', 'user'), nowMs)).toStrictEqual(nothing);
  });
});

describe('all this is worked out', () => {
  const bigText = (offers: number) =>
    text.replace(
      'offers:\n',
      `offers:\n${Array.from({ length: offers }, (_, index) => `  many-${index}: { tags: [golden-many], class: S0, ${weighed} }`).join('\n')}\n`,
    );
  const zones = Object.keys(artefact.zones).length;

  test('once for each policy', () => {
    const again = { ...artefact };
    expect(preparedZone(artefact, 'rail')).toBe(preparedZone(artefact, 'rail'));
    expect(preparedZone(again, 'rail')).not.toBe(preparedZone(artefact, 'rail'));
    expect(preparedZone(again, 'rail')).toEqual(preparedZone(artefact, 'rail'));
  });

  test('beforehand for every zone, and not again', () => {
    const by = { ...artefact, zones: { ...artefact.zones } };
    expect([...preparation(by)]).toHaveLength(zones);
    const { rail: _rail, ...others } = by.zones;
    by.zones = others as typeof by.zones;
    expect(preparedZone(by, 'rail')).toEqual(preparedZone(artefact, 'rail'));
    expect(Object.keys(artefact.zones).map((id) => preparedZone(by, id))).toEqual(
      Object.keys(artefact.zones).map((id) => preparedZone(artefact, id)),
    );
  });

  test.each([
    [255, 0],
    [256, 1],
    [511, 1],
    [512, 2],
  ])('in pieces of 256 offers: %i take %i more', (offers, more) => {
    const source = bigText(offers).replace(
      'zones:\n',
      'zones:\n  many: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: golden-many } }, LAST ] }\n',
    );
    const by = compiled(
      source.replaceAll('LAST', '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }'),
    );
    expect([...preparation(by)]).toHaveLength(zones + 1 + more);
    expect(preparedZone({ ...by }, 'many')?.rungs[0]?.offers).toHaveLength(offers);
    expect(preparedZone(by, 'many')?.rungs[0]?.offers).toHaveLength(offers);
  });

  test.each(['nowhere', 'constructor', '__proto__', 'toString'])('never for `%s`, which is no zone', (id) => {
    expect(preparedZone(artefact, id)).toBe(undefined);
  });
});
