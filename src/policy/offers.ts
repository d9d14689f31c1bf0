/** The section `offers`: candidates with their eligibility, score and labels, and the lowest tier that may read all they read. */
import type { Offer, Sensitivity } from '../decision/artefact.ts';
import type { Expression } from '../decision/expression.ts';
import {
  allUses,
  type Condition,
  type Declarations,
  lowestTierOf,
  readCondition,
  readsOf,
  sensitivityOf,
  warnIfConstant,
} from './condition.ts';
import { readDeviceMark } from './device-marks.ts';
import type { Node } from './document.ts';
import { excerpt } from './excerpt.ts';
import { checkName, readDefinedName, readNamed } from './names.ts';
import { warnIfTelling } from './opaque-ids.ts';
import type { Report } from './problems.ts';
import {
  type Bounds,
  type Fields,
  readFields,
  readInstantMs,
  readInteger,
  readList,
  readMap,
  readOneOf,
  readText,
  readTexts,
  required,
} from './read.ts';
import { harmless, highest, readLabel, unlabelled } from './sensitivity.ts';
import type { Variants } from './variants.ts';

const offersMax = 100_000;
const tagsMax = 32;
const factorsMax = 64;
const leversMax = 64;
const propensityBounds: Bounds = { min: 0, max: 1_000_000 };
const valueBounds: Bounds = { min: 0, max: 1_000_000 };
const perMilleBounds: Bounds = { min: 0, max: 100_000 };
const leverBounds: Bounds = { min: -100_000, max: 100_000 };

/** What the policy says around an offer: its place and its tags, for the checks against ladders. */
export interface DeclaredOffer {
  readonly offer: Offer;
  readonly at: number;
  /** Whether it says its class; where it does not, it has been told so already. */
  readonly labelled: boolean;
  readonly tags: readonly { readonly tag: string; readonly at: number }[];
}

export interface OfferSurroundings {
  readonly text: string;
  readonly declarations: Declarations;
  readonly variants: Variants;
  /** How sensitive what the model says is; null where no model is asked. */
  readonly model: Sensitivity | null;
}

const known = [
  'tags',
  'class',
  'category',
  'variant',
  'when',
  'propensity',
  'propensityPpm',
  'value',
  'context',
  'levers',
  'group',
  'device',
  'from',
  'until',
];

export function readOffers(report: Report, node: Node | undefined, around: OfferSurroundings): ReadonlyMap<string, DeclaredOffer> {
  const offers = new Map<string, DeclaredOffer>();
  for (const { id, at, node: declared } of readNamed(report, node, '`offers`', 'an offer', offersMax)) {
    const what = `offer \`${id}\``;
    const fields = readFields(report, declared, what, known);
    if (fields === undefined) continue;
    const labelled = fields.get('class') !== undefined;
    const offer = readOffer(report, fields, what, around);
    warnIfTelling(report, { what: 'an offer', id, at, sensitivity: offer.sensitivity, example: 'o-31' });
    offers.set(id, { offer, at, labelled, tags: readTags(report, fields, what) });
  }
  return offers;
}

function readOffer(report: Report, fields: Fields, what: string, around: OfferSurroundings): Offer {
  const variantNode = required(report, fields, 'variant', what, '`variant: <id>`');
  const variant = variantNode && readDefinedName(report, variantNode, { what, names: 'variant', among: around.variants });
  const whenNode = fields.get('when');
  const when = whenNode && readCondition(report, around.text, around.declarations, whenNode, `\`when\` of ${what}`);
  if (when !== undefined) warnIfConstant(report, when, `\`when\` of ${what}`);
  const factors = readFactors(report, fields.get('context'), what, around);
  const uses = allUses([when, ...factors.map((factor) => factor.condition)]);
  const fromModel = readFromModel(report, fields, what, around);
  const reads = { ...readsOf(uses, around.declarations), model: fromModel };
  const label = readLabel(report, fields, what, unlabelled);
  if (fields.get('class') === undefined) {
    report.warning(
      'class-not-enabled',
      fields.at,
      `${what} declares no class, so it counts as S3 and is never eligible: write \`class: S1\``,
    );
  }
  const sensitivities: Sensitivity[] = [
    sensitivityOf(uses, around.declarations),
    label,
    around.variants.get(variant ?? '')?.sensitivity ?? harmless,
    (fromModel ? around.model : null) ?? harmless,
  ];
  const sensitivity = highest(sensitivities);
  const mark = readDeviceMark(report, fields, {
    what,
    uses,
    declarations: around.declarations,
    sensitivity,
    tier: null,
    fromModel,
    conditionAt: when?.at ?? fields.at,
  });
  return {
    variant: variant ?? '',
    when: when?.expression ?? null,
    fromModel,
    propensityPpm: readPropensity(report, fields, what, fromModel),
    value: readNumber(report, fields, 'value', what, valueBounds),
    context: factors.map(({ expression, perMille }) => ({ when: expression, perMille })),
    leversPerMille: readLevers(report, fields.get('levers'), what),
    group: readGroup(report, fields.get('group'), what),
    ...readWindow(report, fields, what),
    sensitivity,
    reads,
    lowestTier: lowestTierOf(reads),
    ...mark,
  };
}

/** `propensity: model`: the model says it. */
function readFromModel(report: Report, fields: Fields, what: string, { model }: OfferSurroundings): boolean {
  const node = fields.get('propensity');
  if (node === undefined || readOneOf(report, node, `\`propensity\` of ${what}`, ['model']) === undefined) return false;
  if (model === null) {
    const message = `${what} takes its propensity from a model, and no model is asked: write \`dependencies: { model: { source: http, … } }\`, or \`propensityPpm\` alone`;
    report.error('model-without-source', node.at, message);
  }
  return true;
}

/** Beside a model it is what stands where the model says nothing, and may be left out. */
function readPropensity(report: Report, fields: Fields, what: string, fromModel: boolean): number {
  const isLeftOut = fromModel && fields.get('propensityPpm') === undefined;
  return isLeftOut ? 0 : readNumber(report, fields, 'propensityPpm', what, propensityBounds);
}

function readNumber(report: Report, fields: Fields, name: string, what: string, bounds: Bounds): number {
  const node = required(report, fields, name, what, `\`${name}: <${bounds.min} to ${bounds.max}>\``);
  return (node && readInteger(report, node, `\`${name}\` of ${what}`, bounds)) ?? 0;
}

interface Factor {
  readonly condition: Condition;
  readonly expression: Expression;
  readonly perMille: number;
}

function readFactors(report: Report, node: Node | undefined, what: string, around: OfferSurroundings): readonly Factor[] {
  const list = node && readList(report, node, `\`context\` of ${what}`, factorsMax);
  const factors: Factor[] = [];
  for (const item of list?.items ?? []) {
    const where = `a context factor of ${what}`;
    const fields = readFields(report, item, where, ['when', 'perMille']);
    if (fields === undefined) continue;
    const whenNode = required(report, fields, 'when', where, "`when: '<condition>'`");
    const condition = whenNode && readCondition(report, around.text, around.declarations, whenNode, where);
    if (condition !== undefined) warnIfConstant(report, condition, where);
    const perMille = readNumber(report, fields, 'perMille', where, perMilleBounds);
    if (condition !== undefined && condition.expression !== null) factors.push({ condition, expression: condition.expression, perMille });
  }
  return factors;
}

/** Levers have names for people; what counts is their sum. */
function readLevers(report: Report, node: Node | undefined, what: string): number {
  const map = node && readMap(report, node, `\`levers\` of ${what}`);
  if (map === undefined) return 0;
  if (map.entries.length > leversMax)
    report.error('too-many', map.at, `\`levers\` of ${what} has ${map.entries.length} entries: ${leversMax} are allowed`);
  let sum = 0;
  for (const { key, value } of map.entries) sum += readInteger(report, value, `lever \`${excerpt(key)}\` of ${what}`, leverBounds) ?? 0;
  return sum;
}

function readGroup(report: Report, node: Node | undefined, what: string): string | null {
  const group = node && readText(report, node, `\`group\` of ${what}`);
  return group !== undefined && node !== undefined && checkName(report, group, node.at, 'a group') ? group : null;
}

function readWindow(report: Report, fields: Fields, what: string): { fromMs: number | null; untilMs: number | null } {
  const read = (name: string) => {
    const node = fields.get(name);
    return (node && readInstantMs(report, node, `\`${name}\` of ${what}`)) ?? null;
  };
  const [fromMs, untilMs] = [read('from'), read('until')];
  if (fromMs !== null && untilMs !== null && untilMs <= fromMs) {
    report.error(
      'invalid-date',
      fields.get('until')?.at ?? fields.at,
      `${what} ends before it begins: write an \`until\` after its \`from\``,
    );
  }
  return { fromMs, untilMs };
}

function readTags(report: Report, fields: Fields, what: string): DeclaredOffer['tags'] {
  const node = fields.get('tags');
  if (node === undefined) {
    report.warning('tag-unselected', fields.at, `${what} has no tag, so no rung selects it: write \`tags: [<tag>]\``);
    return [];
  }
  const tags: { tag: string; at: number }[] = [];
  readTexts(report, node, `\`tags\` of ${what}`, tagsMax, (item) => {
    const tag = readText(report, item, `a tag of ${what}`);
    if (tag === undefined || !checkName(report, tag, item.at, 'a tag')) return undefined;
    tags.push({ tag, at: item.at });
    return tag;
  });
  return tags;
}
