/** A zone's ladder: descending rungs, each selecting in one way, down to the approved variant that everybody may see. */
import type { Rung } from '../decision/artefact.ts';
import { type Tier, tierHeight, tiers } from '../decision/vocabulary.ts';
import { readApproval } from './approval.ts';
import type { Node } from './document.ts';
import { excerpt } from './excerpt.ts';
import type { Report } from './problems.ts';
import { type Fields, readFields, readList, readOneOf, readText, required } from './read.ts';
import { type RuleSurroundings, readFixedRule, readRules } from './rules.ts';
import { didYouMean, names } from './suggest.ts';

export interface LadderSurroundings extends RuleSurroundings {
  readonly nowMs: number;
  /** Ids of offers by tag, in the policy's order. */
  readonly offersByTag: ReadonlyMap<string, readonly string[]>;
  /** Called for every rung that selects a tag. */
  selected(tag: string, tier: Tier): void;
}

const ways = ['choose', 'arbitrate', 'variant'] as const;

export function readLadder(report: Report, node: Node, zone: string, around: LadderSurroundings): readonly Rung[] {
  const list = readList(report, node, `\`ladder\` of ${zone}`, 16);
  if (list === undefined) return [];
  const rungs: Rung[] = [];
  let lowest: Tier | null = null;
  for (const item of list.items) {
    const fields = readFields(report, item, `a rung of ${zone}`, ['tier', ...ways, 'approved']);
    const tierNode = fields && required(report, fields, 'tier', `a rung of ${zone}`, `\`tier: user\`, session, segment or anonymous`);
    const tier = tierNode && readOneOf(report, tierNode, `the tier of a rung of ${zone}`, tiers);
    if (fields === undefined || tierNode === undefined || tier === undefined) continue;
    checkOrder(report, tierNode.at, tier, lowest, rungs, zone);
    if (lowest === null || tierHeight(tier) < tierHeight(lowest)) lowest = tier;
    rungs.push(readRung(report, fields, tier, `the ${tier} rung of ${zone}`, around));
  }
  const unread = list.items.length > 0 && rungs.length === 0;
  if (!unread && !rungs.some((rung) => rung.tier === 'anonymous')) {
    const example = "`- { tier: anonymous, variant: <id>, approved: { by: '<role>', on: <date>, until: <date> } }`";
    report.error('ladder-without-anonymous', list.at, `${zone} has no anonymous rung: end its ladder with ${example}`);
  }
  return rungs;
}

function checkOrder(report: Report, at: number, tier: Tier, lowest: Tier | null, above: readonly Rung[], zone: string): void {
  if (above.some((rung) => rung.tier === tier)) {
    report.error('ladder-order', at, `${zone} has two ${tier} rungs: put their rules into one`);
  } else if (lowest !== null && tierHeight(tier) > tierHeight(lowest)) {
    report.error(
      'ladder-order',
      at,
      `${zone} has its ${tier} rung below its ${lowest} rung: a ladder goes down from user over session and segment to anonymous`,
    );
  }
}

function readRung(report: Report, fields: Fields, tier: Tier, what: string, around: LadderSurroundings): Rung {
  const written = ways.filter((way) => fields.get(way) !== undefined);
  if (written.length !== 1) {
    const found = written.length === 0 ? 'selects nothing' : `has ${names(written)}`;
    report.error('rung-selection', fields.at, `${what} ${found}: write exactly one of ${names(ways)}`);
  }
  const approvedNode = fields.get('approved');
  const approved = approvedNode === undefined ? null : readApproval(report, approvedNode, what, around.nowMs, tier === 'anonymous');
  if (tier === 'anonymous') checkAnonymous(report, fields, what);
  return { tier, select: readSelection(report, fields, tier, what, around), approved };
}

function checkAnonymous(report: Report, fields: Fields, what: string): void {
  for (const way of ['choose', 'arbitrate'] as const) {
    if (fields.get(way) !== undefined) {
      report.error(
        'anonymous-not-fixed',
        fields.keyAt(way),
        `${what} must be one fixed experience: write \`variant: <id>\` instead of \`${way}\``,
      );
    }
  }
  if (fields.get('approved') === undefined) {
    const example = "`approved: { by: '<role>', on: <date>, until: <date> }`";
    report.error('approval-missing', fields.at, `${what} is not approved: write ${example}`);
  }
}

/** Everything that is written is read, so that its mistakes show, even where only one way may stay. */
function readSelection(report: Report, fields: Fields, tier: Tier, what: string, around: LadderSurroundings): Rung['select'] {
  const [choose, arbitrate, variant] = [fields.get('choose'), fields.get('arbitrate'), fields.get('variant')];
  const selections: Rung['select'][] = [];
  if (choose !== undefined) selections.push({ by: 'choose', rules: readRules(report, choose, tier, what, around) });
  if (arbitrate !== undefined) selections.push({ by: 'arbitrate', offers: readArbitration(report, arbitrate, tier, what, around) });
  if (variant !== undefined) selections.push({ by: 'choose', rules: [readFixedRule(report, variant, tier, what, around)] });
  return selections[0] ?? { by: 'choose', rules: [] };
}

function readArbitration(report: Report, node: Node, tier: Tier, what: string, around: LadderSurroundings): readonly string[] {
  const fields = readFields(report, node, `\`arbitrate\` of ${what}`, ['tag']);
  const tagNode = fields && required(report, fields, 'tag', `\`arbitrate\` of ${what}`, '`arbitrate: { tag: <tag> }`');
  const tag = tagNode && readText(report, tagNode, `the tag of ${what}`);
  if (tag === undefined || tagNode === undefined) return [];
  around.selected(tag, tier);
  const offers = around.offersByTag.get(tag);
  if (offers === undefined) {
    report.warning(
      'unknown-tag',
      tagNode.at,
      `${what} selects tag \`${excerpt(tag)}\`, which no offer carries${didYouMean(tag, around.offersByTag.keys())}`,
    );
  }
  return offers ?? [];
}
