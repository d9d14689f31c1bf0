/** Less evidence, a stricter policy or a higher class never raises the tier of a zone asked alone: over the states of a slice. */
import { type Tier, tierHeight } from '../../src/decision/vocabulary.ts';
import { evidenceOf } from './concrete.ts';
import { degradations } from './degrade.ts';
import { type Core, indexOf, type Prepared, type Range } from './enumerate.ts';
import type { AbstractZone, Class, State } from './state.ts';

export interface Rises {
  compared: number;
  readonly found: { readonly how: string; readonly index: number; readonly zone: AbstractZone; readonly state: State }[];
}

const risesMax = 20;

export function findRises({ slice, policies }: Prepared, core: Core, range: Range, rises: Rises): void {
  for (let number = range.from; number < range.until; number += 1) {
    const index = indexOf(number, slice, range);
    const state = slice.at(index);
    const worse = degradations(state);
    for (const { artefact, question } of policies) {
      const before = core(artefact, question, evidenceOf(state)).zones;
      for (const { how, state: after } of worse) {
        const zones = core(artefact, question, evidenceOf(after)).zones;
        slice.zones.forEach((zone, at) => {
          rises.compared += 1;
          const isRisen = heightAt(zones, at) > heightAt(before, at);
          if (isRisen && rises.found.length < risesMax) rises.found.push({ how, index, zone, state });
        });
      }
      compareClasses(slice.zones, before, (zone, how) => {
        if (rises.found.length < risesMax) rises.found.push({ how, index, zone, state });
      });
    }
  }
}

function heightAt(zones: readonly { readonly tier: Tier }[], at: number): number {
  return tierHeight((zones[at] as { tier: Tier }).tier);
}

const classOrder: readonly Class[] = ['S0', 'S1', 'S2', 'S3:health', 'S3:none'];

/** Zones that differ in nothing but what class they declare. */
function compareClasses(
  zones: readonly AbstractZone[],
  decided: readonly { readonly tier: Tier }[],
  risen: (zone: AbstractZone, how: string) => void,
): void {
  const heights = new Map<string, { readonly class: Class; readonly height: number }[]>();
  zones.forEach((zone, at) => {
    const alike = JSON.stringify([zone.kind, zone.by, zone.late, zone.rungs]);
    const seen = heights.get(alike) ?? [];
    const height = heightAt(decided, at);
    for (const other of seen) {
      const [rank, otherRank] = [classOrder.indexOf(zone.class), classOrder.indexOf(other.class)];
      if (rank < 0 || otherRank < 0) continue;
      if ((rank > otherRank && height > other.height) || (rank < otherRank && height < other.height)) {
        risen(zone, `class ${other.class} against ${zone.class}`);
      }
    }
    heights.set(alike, [...seen, { class: zone.class, height }]);
  });
}
