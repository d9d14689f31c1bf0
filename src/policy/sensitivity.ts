/** How sensitive something is, by data flow: labels as authors write them, and the highest of several. */
import type { Sensitivity } from '../decision/artefact.ts';
import { classes, higherClass } from '../decision/vocabulary.ts';
import { checkName } from './names.ts';
import type { Report } from './problems.ts';
import { type Fields, readOneOf, readText } from './read.ts';

/** Adds nothing: what an unlabelled variant, rule or zone declares. */
export const harmless: Sensitivity = { class: 'S0', categories: [], uncategorised: false };

/** What an unlabelled attribute, audience or offer is: special, of no category that anybody could consent to. */
export const unlabelled: Sensitivity = { class: 'S3', categories: [], uncategorised: true };

/** S2 and S3: for the user rung alone, and for no device. */
export function isSensitive(sensitivity: Sensitivity): boolean {
  return sensitivity.class === 'S2' || sensitivity.class === 'S3';
}

export function highest(all: readonly Sensitivity[]): Sensitivity {
  return {
    class: all.reduce((highestSoFar, one) => higherClass(highestSoFar, one.class), harmless.class),
    categories: [...new Set(all.flatMap((one) => one.categories))].sort(),
    uncategorised: all.some((one) => one.uncategorised),
  };
}

/** Reads `class` and, beside S3, `category`. */
export function readLabel(report: Report, fields: Fields, what: string, whenAbsent: Sensitivity): Sensitivity {
  const classNode = fields.get('class');
  const categoryNode = fields.get('category');
  const declared = classNode && readOneOf(report, classNode, `the class of ${what}`, classes);
  const category = categoryNode && readText(report, categoryNode, `the category of ${what}`);
  if (categoryNode !== undefined && (classNode === undefined || (declared !== undefined && declared !== 'S3'))) {
    report.error(
      'unknown-field',
      fields.keyAt('category'),
      `\`category\` belongs to class S3 only: write \`class: S3\` beside it, or leave it out`,
    );
    return whenAbsent;
  }
  if (declared === undefined) return whenAbsent;
  if (declared !== 'S3') return { class: declared, categories: [], uncategorised: false };
  if (category === undefined || categoryNode === undefined) {
    if (categoryNode === undefined) {
      report.warning(
        'class-not-enabled',
        fields.keyAt('class'),
        `${what} is S3 without a category and is never eligible: write \`category: <name>\` beside the class`,
      );
    }
    return unlabelled;
  }
  if (!checkName(report, category, categoryNode.at, 'a category')) return unlabelled;
  return { class: 'S3', categories: [category], uncategorised: false };
}
