/**
 * `device: true`, on a rule or an offer: it may go to a visitor's device, where anybody can read it and no server looks after it. Nothing else
 * ever goes there but every zone's approved anonymous variant. What cannot be meant is refused here, with what to write in its place.
 */
import type { Sensitivity } from '../decision/artefact.ts';
import type { Tier } from '../decision/vocabulary.ts';
import type { Uses } from './cel/lowering.ts';
import { beyondDevice, type Declarations, deviceSignals } from './condition.ts';
import type { Report } from './problems.ts';
import { type Fields, readBoolean } from './read.ts';
import { isSensitive } from './sensitivity.ts';
import { names } from './suggest.ts';

/** What is marked, or is not and reads what only a device knows. */
export interface Markable {
  readonly what: string;
  readonly uses: Uses;
  readonly declarations: Declarations;
  /** Its own, with what it reads and shows. */
  readonly sensitivity: Sensitivity;
  /** Of the rung that it stands on; null for an offer, which any may select. */
  readonly tier: Tier | null;
  /** Whether a model says its propensity. */
  readonly fromModel: boolean;
  /** Where its condition stands, or it itself. */
  readonly conditionAt: number;
}

export function readDeviceMark(report: Report, fields: Fields, about: Markable): { readonly device?: true } {
  const { what, uses, conditionAt } = about;
  const node = fields.get('device');
  const isMarked = node !== undefined && readBoolean(report, node, `\`device\` of ${what}`) === true;
  const signals = deviceSignals(uses);
  if (!isMarked) {
    if (signals.length > 0) {
      const message = `${what} reads ${names(signals.slice(0, 5))}, which only a device knows: write \`device: true\` beside it, or let it read less`;
      report.error('device-unmarked', conditionAt, message);
    }
    return {};
  }
  const why = whyNot(about);
  if (why !== null) report.error('device-not-allowed', fields.keyAt('device'), `${what} is marked \`device: true\` and ${why}`);
  return { device: true };
}

function whyNot({ uses, declarations, sensitivity, tier, fromModel }: Markable): string | null {
  const beyond = beyondDevice(uses, declarations);
  if (beyond.length > 0) {
    const advice = 'read `device.<attribute>`, declared under `attributes.device`, or leave the mark out';
    return `reads ${names(beyond.slice(0, 5))}, which no device is told: ${advice}`;
  }
  if (fromModel) return 'has its propensity from a model, which no device is told: write `propensityPpm` alone, or leave the mark out';
  if (tier === 'user')
    return 'stands on a user rung, which no device decides: move it to the session or the segment rung, or leave the mark out';
  if (isSensitive(sensitivity)) {
    const cause = 'by what it reads or by what it, its variant or its zone declares';
    return `is of class ${sensitivity.class}, ${cause}, and nothing above S1 goes to a device: write \`class: S1\` where that is true, or leave the mark out`;
  }
  return null;
}
