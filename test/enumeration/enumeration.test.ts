/**
 * The real core against the table of the gates, over a sample of the whole state space (all of it: `node
 * test/enumeration/long.ts`), and against cores with one guard taken out, which must be found.
 */
import { expect as check, describe, it } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import { evidenceOf, policyOf, questionFor } from './concrete.ts';
import { type Core, emptyTally, enumerate, prepare, type Range, type Slice, type Tally } from './enumerate.ts';
import { findRises, type Rises } from './monotone.ts';
import { plantedCores } from './planted.ts';
import { rows, stateOfRow, zonesOfRow } from './privacy-rows.ts';
import { slices } from './slices.ts';
import type { Settings } from './state.ts';
import { expect as expectation, judge } from './table.ts';

/** One zone of seven, which a seventh of the long run's time is enough for: no factor of the classes has seven values. */
const thinned = { ...slices.everyClass, zones: slices.everyClass.zones.filter((_, at) => at % 7 === 0) };
const prepared = Object.values({ ...slices, everyClass: thinned }).map(prepare);

/** As many zones in each slice, whatever its size. */
function sample(core: Core, zonesOfEach: number): Tally {
  const tally = emptyTally();
  for (const one of prepared) enumerate(one, core, rangeOf(one.slice, zonesOfEach), tally);
  return tally;
}

function rangeOf({ size, zones, settings }: Slice, zonesWanted: number): Range {
  const states = Math.min(size, Math.ceil(zonesWanted / (zones.length * settings.length)));
  return { from: 0, until: states, isSample: states < size };
}

/** More and more of each slice, until there is a disagreement. */
function isFound(core: Core): boolean {
  return [4000, 40_000, 400_000].some((zones) =>
    prepared.some((one) => {
      const tally = emptyTally();
      enumerate(one, core, rangeOf(one.slice, zones), tally);
      return tally.disagreements > 0;
    }),
  );
}

describe('the table of the gates, over the state space', () => {
  it('has millions of states, each of them a product of factors that are counted', () => {
    for (const { slice } of prepared) {
      check(Object.values(slice.counts).reduce((product, count) => product * count)).toBe(slice.size);
    }
    check(prepared.reduce((sum, { slice }) => sum + slice.size, 0)).toBeGreaterThan(50_000_000);
  });

  it('is never exceeded by the core, and says the same of every tier, reason, render and scope', () => {
    const { escalations, disagreements, ways } = sample(decide, 150_000);
    check([...ways].slice(0, 3)).toEqual([]);
    check({ escalations, disagreements }).toEqual({ escalations: 0, disagreements: 0 });
  });

  it('lets no input that got worse raise a tier', () => {
    const rises: Rises = { compared: 0, found: [] };
    for (const one of prepared) findRises(one, decide, rangeOf(one.slice, 2_500), rises);
    check(rises.found).toEqual([]);
    check(rises.compared).toBeGreaterThan(300_000);
  });

  it.each(Object.entries(plantedCores))('finds a core that %s', (_name, core) => {
    check(isFound(core)).toBe(true);
  });
});

describe('the decision table of the privacy requirements', () => {
  const settings: Settings = { contextualWithoutSignal: false, onlyProved: false, onFailure: {} };

  it('has 324 rows', () => check(rows.length).toBe(324));

  it('holds in the core and in the table of the gates, row by row', () => {
    for (const row of rows) {
      const zones = zonesOfRow(row);
      const state = stateOfRow(row);
      const decided = decide(policyOf(zones, settings), questionFor(zones, settings), evidenceOf(state));
      const judgement = judge(state);
      for (const [at, zone] of zones.entries()) {
        const of = `${JSON.stringify(row)} ${zone.id}`;
        check(decided.zones[at]?.tier, of).toBe(row.expected);
        check(expectation(zone, state, settings, judgement).tier, of).toBe(row.expected);
      }
    }
  });

  it('leaves the segment tier open from request facts alone where the contextual use case is granted, and to no child', () => {
    for (const row of rows.filter(({ sensitivity, select }) => (sensitivity === 'S0' || sensitivity === 'SC') && select !== 'granted')) {
      const zones = zonesOfRow({ ...row, sensitivity: 'S0' });
      const state = stateOfRow(row);
      const evidence = evidenceOf({ ...state, request: { ...state.request, contextual: 'granted' } });
      const decided = decide(policyOf(zones, settings), questionFor(zones, settings), evidence);
      for (const { tier } of decided.zones) check(tier, JSON.stringify(row)).toBe(row.sensitivity === 'SC' ? 'anonymous' : 'segment');
    }
  });
});
