/** The sections `zones` and `pages`. */
import type { Page, Zone } from '../decision/artefact.ts';
import { kinds, lateModes } from '../decision/vocabulary.ts';
import type { Node } from './document.ts';
import { warnIfNeverEligible } from './eligibility.ts';
import { type LadderSurroundings, readLadder } from './ladder.ts';
import { readDefinedName, readNamed } from './names.ts';
import { warnIfTelling } from './opaque-ids.ts';
import type { Report } from './problems.ts';
import { readFields, readOneOf, readTexts, required } from './read.ts';
import { harmless, readLabel } from './sensitivity.ts';
import { budgetMsBounds, deadlineMsBounds, optionalInteger } from './settings.ts';

const zonesMax = 1_000;
const pagesMax = 1_000;
/** As many as one request may ask for. */
const zonesOnPageMax = 32;

const known = ['kind', 'criticality', 'budgetMs', 'late', 'class', 'category', 'cache', 'ladder'];

/** Every zone that is named, even a broken one, so that its uses are not reported as unknown. */
export function readZones(report: Report, node: Node | undefined, around: LadderSurroundings): ReadonlyMap<string, Zone> {
  const zones = new Map<string, Zone>();
  for (const { id, at, node: declared } of readNamed(report, node, '`zones`', 'a zone', zonesMax)) {
    const zone = readZone(report, declared, `zone \`${id}\``, around);
    warnIfTelling(report, { what: 'a zone', id, at, sensitivity: zone.sensitivity, example: 'z-31' });
    zones.set(id, zone);
  }
  return zones;
}

function readZone(report: Report, node: Node, what: string, around: LadderSurroundings): Zone {
  const fields = readFields(report, node, what, known);
  const kindNode = fields && required(report, fields, 'kind', what, '`kind: content` or `kind: offer`');
  const ladderNode = fields && required(report, fields, 'ladder', what, '`ladder: [ … ]` ending in an anonymous rung');
  const lateNode = fields?.get('late');
  const cacheNode = fields?.get('cache');
  const sensitivity = fields === undefined ? harmless : readLabel(report, fields, what, harmless);
  if (fields !== undefined && !sensitivity.uncategorised) {
    warnIfNeverEligible(report, { ...around, at: fields.keyAt('class'), what, sensitivity, tier: 'user' });
  }
  const cache = cacheNode && readFields(report, cacheNode, `\`cache\` of ${what}`, ['maxAgeSeconds']);
  return {
    kind: (kindNode && readOneOf(report, kindNode, `\`kind\` of ${what}`, kinds)) ?? 'content',
    criticality: optionalInteger(report, fields, 'criticality', what, { min: -1_000_000, max: 1_000_000 }) ?? 0,
    budgetMs: optionalInteger(report, fields, 'budgetMs', what, budgetMsBounds) ?? null,
    late: (lateNode && readOneOf(report, lateNode, `\`late\` of ${what}`, lateModes)) ?? 'fallback',
    sensitivity,
    maxAgeSeconds: optionalInteger(report, cache, 'maxAgeSeconds', `\`cache\` of ${what}`, { min: 0, max: 31_536_000 }) ?? null,
    ladder: ladderNode === undefined ? [] : readLadder(report, ladderNode, what, { ...around, ofZone: sensitivity }),
  };
}

export function readPages(
  report: Report,
  node: Node | undefined,
  zones: ReadonlyMap<string, Zone>,
  deadline: { readonly minMs: number; readonly maxMs: number },
): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  for (const { id, node: declared } of readNamed(report, node, '`pages`', 'a page', pagesMax)) {
    const what = `page \`${id}\``;
    const fields = readFields(report, declared, what, ['deadlineMs', 'zones']);
    const deadlineMs = optionalInteger(report, fields, 'deadlineMs', what, deadlineMsBounds) ?? null;
    if (deadlineMs !== null && (deadlineMs < deadline.minMs || deadlineMs > deadline.maxMs)) {
      const message = `\`deadlineMs\` of ${what} will be clamped: write a number from ${deadline.minMs} to ${deadline.maxMs}, the bounds of \`deadline\``;
      report.warning('deadline-out-of-bounds', fields?.get('deadlineMs')?.at ?? 0, message);
    }
    const zonesNode = fields && required(report, fields, 'zones', what, '`zones: [<zone>]`');
    pages.set(id, { deadlineMs, zones: zonesNode === undefined ? [] : readPageZones(report, zonesNode, what, zones) });
  }
  return pages;
}

function readPageZones(report: Report, node: Node, what: string, zones: ReadonlyMap<string, Zone>): readonly string[] {
  const names = readTexts(report, node, `\`zones\` of ${what}`, zonesOnPageMax, (item) =>
    readDefinedName(report, item, { what, names: 'zone', among: zones }),
  );
  if (node.kind === 'list' && node.items.length === 0)
    report.error('missing-field', node.at, `\`zones\` of ${what} is empty: name at least one zone`);
  return names ?? [];
}
