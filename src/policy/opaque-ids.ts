/**
 * Lint: ids of what is sensitive that say in words what it is about. An id travels further than what it stands for: into the answer,
 * the page, its analytics and whatever keeps those. It never names the id itself, since its sentences are logged.
 */
import type { Offer, Sensitivity, Zone } from '../decision/artefact.ts';
import { combined } from '../decision/sensitivity.ts';
import type { Report } from './problems.ts';
import { harmless } from './sensitivity.ts';
import type { Variants } from './variants.ts';

export interface Identified {
  /** ``an offer``, ``a profile attribute``. */
  readonly what: string;
  readonly id: string;
  readonly at: number;
  readonly sensitivity: Sensitivity;
  /** An id of the same form that tells nothing. */
  readonly example: string;
}

/** Four letters in a row are mostly a word of some language; no list of words would know all of them. */
const word = /[A-Za-z]{4}/;

export function warnIfTelling(report: Report, { what, id, at, sensitivity, example }: Identified): void {
  if (!isSensitive(sensitivity) || !word.test(id)) return;
  const message = `the id of ${what} of class ${sensitivity.class} looks like words, and ids reach more eyes than what they stand for: write one that tells nothing, such as \`${example}\`, and what it means in a comment`;
  report.warning('id-not-opaque', at, message);
}

/** A variant that only what is sensitive shows is as sensitive, whatever it says itself. */
export function warnOfTellingVariants(
  report: Report,
  variants: Variants,
  { zones, offers }: { readonly zones: Iterable<Zone>; readonly offers: Iterable<Offer> },
): void {
  const shown = new Map<string, Sensitivity>();
  const ordinary = new Set<string>();
  for (const { variant, sensitivity } of shownIn(zones, offers)) {
    if (!isSensitive(sensitivity)) ordinary.add(variant);
    shown.set(variant, combined(shown.get(variant) ?? harmless, sensitivity));
  }
  for (const [id, { at, sensitivity: declared }] of variants) {
    const sensitivity = ordinary.has(id) ? declared : combined(declared, shown.get(id) ?? harmless);
    warnIfTelling(report, { what: 'a variant', id, at, sensitivity, example: 'v-31' });
  }
}

type Shown = Pick<Offer, 'variant' | 'sensitivity'>;

function* shownIn(zones: Iterable<Zone>, offers: Iterable<Offer>): Iterable<Shown> {
  yield* offers;
  for (const { ladder, sensitivity } of zones) {
    for (const { tier, select } of ladder) {
      const rules = select.by === 'choose' ? select.rules : [];
      // What everybody is shown tells of nobody, whatever class its zone declares.
      for (const rule of rules) yield tier === 'anonymous' ? rule : { ...rule, sensitivity: combined(sensitivity, rule.sensitivity) };
    }
  }
}

/** What has no category is never shown to anybody, and a lint of its own says so. */
function isSensitive(sensitivity: Sensitivity): boolean {
  return (sensitivity.class === 'S2' || sensitivity.class === 'S3') && !sensitivity.uncategorised;
}
