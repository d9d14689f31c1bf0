/** Lint: what a policy writes but its classes keep from ever being shown. */
import type { Sensitivity } from '../decision/artefact.ts';
import type { Tier } from '../decision/vocabulary.ts';
import type { Report } from './problems.ts';
import { names, nearestName } from './suggest.ts';

export interface Candidate {
  readonly at: number;
  readonly what: string;
  readonly sensitivity: Sensitivity;
  /** The highest tier that selects it. */
  readonly tier: Tier;
  readonly enabledCategories: readonly string[];
}

export function warnIfNeverEligible(report: Report, candidate: Candidate): void {
  const { at, what, sensitivity, tier, enabledCategories } = candidate;
  if (sensitivity.uncategorised) {
    const message = `${what} is of class S3 without a category, by what it reads or declares, and is never eligible: label what it reads with a class`;
    report.warning('class-not-enabled', at, message);
    return;
  }
  const missing = sensitivity.categories.filter((category) => !enabledCategories.includes(category));
  if (missing.length > 0) {
    const near = missing.length === 1 ? nearestName(missing[0] ?? '', enabledCategories) : null;
    const question = near === null ? '' : `, or did you mean \`${near}\`?`;
    const message = `${what} is of category ${names(missing)}, which the policy does not enable: write it under \`sensitive.S3.categories\`${question}`;
    report.warning('class-not-enabled', at, message);
    return;
  }
  if (tier !== 'user' && (sensitivity.class === 'S2' || sensitivity.class === 'S3')) {
    report.warning('class-above-rung', at, `${what} is of class ${sensitivity.class}, which only the user rung may show: move it there`);
  }
}
