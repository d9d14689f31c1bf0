/** The rules of a `choose` rung: first match, each naming its variant, none behind one that always applies. */
import type { Rule, Sensitivity } from '../decision/artefact.ts';
import type { Tier } from '../decision/vocabulary.ts';
import { noUses } from './cel/lowering.ts';
import { type Condition, type Declarations, readBeyond, readCondition, readsOf, sensitivityOf, warnIfConstant } from './condition.ts';
import { readDeviceMark } from './device-marks.ts';
import type { Node } from './document.ts';
import { warnIfNeverEligible } from './eligibility.ts';
import { readDefinedName } from './names.ts';
import type { Report } from './problems.ts';
import { type Fields, readFields, readList, required } from './read.ts';
import { harmless, highest, readLabel } from './sensitivity.ts';
import { names } from './suggest.ts';
import type { Variants } from './variants.ts';

const rulesMax = 1_000;

export interface RuleSurroundings {
  readonly text: string;
  readonly declarations: Declarations;
  readonly variants: Variants;
  readonly enabledCategories: readonly string[];
  /** What the zone declares. Absent: nothing. */
  readonly ofZone?: Sensitivity;
}

export function readRules(report: Report, node: Node, tier: Tier, what: string, around: RuleSurroundings): readonly Rule[] {
  const list = readList(report, node, `\`choose\` of ${what}`, rulesMax);
  if (list === undefined) return [];
  if (list.items.length === 0)
    report.error('missing-field', list.at, `\`choose\` of ${what} is empty: write a rule, or leave the rung out`);
  let unconditional = false;
  return list.items.map((item, index) => {
    const where = `rule ${index + 1} of ${what}`;
    const fields = readFields(report, item, where, ['when', 'variant', 'class', 'category', 'device']);
    if (unconditional) {
      report.error(
        'rule-unreachable',
        item.at,
        `${where} can never apply, since a rule before it applies to everybody: move that one to the end`,
      );
    }
    if (fields === undefined) return broken;
    const { rule, isUnconditional } = readRule(report, fields, tier, where, around);
    unconditional ||= isUnconditional;
    return rule;
  });
}

const broken: Rule = {
  when: null,
  variant: '',
  sensitivity: harmless,
  reads: { request: [], session: false, profile: false, audience: false, model: false, audiences: false, now: false },
};

interface RuleRead {
  readonly rule: Rule;
  /** Without a condition, or with one that is always true. */
  readonly isUnconditional: boolean;
}

function readRule(report: Report, fields: Fields, tier: Tier, what: string, around: RuleSurroundings): RuleRead {
  const { declarations, variants } = around;
  const whenNode = fields.get('when');
  const when = whenNode && readCondition(report, around.text, declarations, whenNode, `\`when\` of ${what}`);
  if (when !== undefined) warnIfConstant(report, when, `\`when\` of ${what}`);
  if (when !== undefined) checkReach(report, when, tier, what, declarations);
  const variantNode = required(report, fields, 'variant', what, '`variant: <id>`');
  const variant = (variantNode && readDefinedName(report, variantNode, { what, names: 'variant', among: variants })) ?? '';
  const uses = when?.uses ?? noUses();
  const sensitivity = highest([
    sensitivityOf(uses, declarations),
    readLabel(report, fields, what, harmless),
    variants.get(variant)?.sensitivity ?? harmless,
  ]);
  warnIfNeverEligible(report, { ...around, at: fields.at, what, sensitivity, tier });
  const mark = readDeviceMark(report, fields, {
    what,
    uses,
    declarations,
    sensitivity: highest([sensitivity, around.ofZone ?? harmless]),
    tier,
    fromModel: false,
    conditionAt: when?.at ?? fields.at,
  });
  return {
    rule: { when: when?.expression ?? null, variant, sensitivity, reads: readsOf(uses, declarations), ...mark },
    isUnconditional: whenNode === undefined || when?.constant === true,
  };
}

function checkReach(report: Report, when: Condition, tier: Tier, what: string, declarations: Declarations): void {
  const beyond = readBeyond(tier, when.uses, declarations);
  if (beyond.length === 0) return;
  const higher = beyond.every((name) => /^(?:session|device)\./.test(name)) ? 'session' : 'user';
  report.error(
    'rung-reads-too-much',
    when.at,
    `${what} reads ${names(beyond.slice(0, 5))}, which a ${tier} rung may not: move the rule to the ${higher} rung`,
  );
}

/** A rung with one variant for everybody is a rule without a condition. */
export function readFixedRule(report: Report, node: Node, tier: Tier, what: string, around: RuleSurroundings): Rule {
  const variant = readDefinedName(report, node, { what, names: 'variant', among: around.variants }) ?? '';
  const sensitivity = around.variants.get(variant)?.sensitivity ?? harmless;
  if (tier === 'anonymous') {
    if (sensitivity.class === 'S2' || sensitivity.class === 'S3') {
      const message = `${what} shows variant \`${variant}\` of class ${sensitivity.class} to everybody: name a variant of class S0 or S1`;
      report.error('anonymous-sensitive', node.at, message);
    }
    // Whoever gets nothing better gets this one: what was left out by mistake is missing for everybody at once.
    if (around.variants.get(variant)?.isNothing === true) {
      const message = `${what} shows variant \`${variant}\` to everybody, and there is nothing in it: write the content that the place shows when nothing better may be shown`;
      report.warning('anonymous-empty', node.at, message);
    }
  } else {
    warnIfNeverEligible(report, { ...around, at: node.at, what, sensitivity, tier });
  }
  return { ...broken, variant, sensitivity };
}
