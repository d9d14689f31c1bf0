/**
 * Compiles a policy as people write it to the artefact that `decide` reads. It promises to find every mistake in one pass, each
 * with its place and what to write instead, to throw nothing whatever the text, and to answer an artefact only when all is well.
 * It reads no file and no clock.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { Tier } from '../decision/vocabulary.ts';
import { readDeclarations } from './declarations.ts';
import { readDependencies } from './dependencies.ts';
import { lineCounter, readDocument, sourceText } from './document.ts';
import { readJsonDocument } from './json-document.ts';
import { checkName, mapById } from './names.ts';
import { checkOfferReach, indexByTag } from './offer-reach.ts';
import { readOffers } from './offers.ts';
import { warnOfTellingVariants } from './opaque-ids.ts';
import { type PolicyProblem, problemReport, type Report } from './problems.ts';
import { type Fields, readFields, readText, required } from './read.ts';
import { deepFreeze, freezeForWriting, revisionOf } from './revision.ts';
import {
  readConsent,
  readContextualWithoutSignal,
  readDeadline,
  readDevice,
  readFreshnessMaxMs,
  readSensitiveCategories,
} from './settings.ts';
import { readVariants } from './variants.ts';
import { checkWork } from './work.ts';
import { readPages, readZones } from './zones.ts';

export { formatProblem, type PolicyProblem, problemCodes } from './problems.ts';

export interface Compilation {
  /** Null exactly when some problem is an error. Plain data, frozen to the last leaf but for lists in a variant's content. */
  readonly artefact: Artefact | null;
  readonly problems: readonly PolicyProblem[];
}

export interface CompileOptions {
  /** The name problems carry. One that ends in `.json` promises JSON, and nothing else is taken; any other is read as YAML. */
  readonly file: string;
  /** Approvals must be unexpired at this instant. */
  readonly nowMs: number;
}

const sections = [
  'stepwell',
  'policy',
  'owner',
  'attributes',
  'audiences',
  'contextualWithoutSignal',
  'consent',
  'freshness',
  'sensitive',
  'deadline',
  'device',
  'dependencies',
  'pages',
  'zones',
  'variants',
  'offers',
];

export function compilePolicy(text: string, options: CompileOptions): Compilation {
  const lines = lineCounter();
  const report = problemReport(options.file, sourceText(text, lines).placeOf);
  const read = options.file.toLowerCase().endsWith('.json') ? readJsonDocument : readDocument;
  const root = read(text, lines, report);
  const fields = root === null ? undefined : readFields(report, root, 'the policy', sections);
  const content = fields && readPolicy(report, fields, text, options.nowMs);
  if (content !== undefined && !report.failed()) checkWork(report, fields?.get('zones'), content);
  if (content === undefined || report.failed()) return { artefact: null, problems: report.problems() };
  for (const variant of Object.values(content.variants)) freezeForWriting(variant.content);
  return { artefact: deepFreeze({ ...content, revision: revisionOf(content) }), problems: report.problems() };
}

function readPolicy(report: Report, root: Fields, text: string, nowMs: number): Omit<Artefact, 'revision'> {
  const policy = readHead(report, root);
  const declarations = readDeclarations(report, root);
  const enabledCategories = readSensitiveCategories(report, root);
  const deadline = readDeadline(report, root);
  const variants = readVariants(report, root.get('variants'));
  const dependencies = readDependencies(report, root, { text, declarations });
  const offers = readOffers(report, root.get('offers'), { text, declarations, variants, model: dependencies.model });
  const tiersByTag = new Map<string, Set<Tier>>();
  const selected = (tag: string, tier: Tier) => tiersByTag.set(tag, (tiersByTag.get(tag) ?? new Set()).add(tier));
  const around = { text, declarations, variants, enabledCategories, nowMs, offersByTag: indexByTag(offers), selected };
  const zones = readZones(report, root.get('zones'), around);
  checkOfferReach(report, offers, tiersByTag, { enabledCategories });
  warnOfTellingVariants(report, variants, { zones: zones.values(), offers: [...offers.values()].map(({ offer }) => offer) });
  const ownerNode = root.get('owner');
  return {
    format: 1,
    policy,
    owner: (ownerNode && readText(report, ownerNode, '`owner`')) ?? null,
    attributes: {
      request: mapById(declarations.attributes.request),
      session: mapById(declarations.attributes.session),
      profile: mapById(declarations.attributes.profile),
      // Policies that say nothing of devices keep the revision they always had.
      ...(declarations.attributes.device.size > 0 ? { device: mapById(declarations.attributes.device) } : {}),
    },
    audiences: mapById(declarations.audiences),
    contextualWithoutSignal: readContextualWithoutSignal(report, root),
    consent: readConsent(report, root),
    freshnessMaxMs: readFreshnessMaxMs(report, root),
    sensitiveCategories: enabledCategories,
    deadline,
    dependencies: dependencies.settings,
    pages: mapById(readPages(report, root.get('pages'), zones, deadline)),
    zones: mapById(zones),
    variants: mapById([...variants].map(([id, { content }]) => [id, { content }] as const)),
    offers: mapById([...offers].map(([id, { offer }]) => [id, offer] as const)),
    ...readDevice(report, root),
  };
}

function readHead(report: Report, root: Fields): string {
  const version = required(report, root, 'stepwell', 'the policy', '`stepwell: 1`');
  if (version !== undefined && !(version.kind === 'scalar' && version.value === 1)) {
    report.error('unsupported-version', version.at, 'this service reads policies of version 1: write `stepwell: 1`');
  }
  const nameNode = required(report, root, 'policy', 'the policy', '`policy: <name>`');
  const name = nameNode && readText(report, nameNode, '`policy`');
  return name !== undefined && nameNode !== undefined && checkName(report, name, nameNode.at, 'a policy') ? name : '';
}
