/** The section `dependencies`: how long each is waited for, what its failure means, and where it is asked. */
import type { DependencySettings, HttpSourceSettings, Sensitivity } from '../decision/artefact.ts';
import { type Dependency, dependencies, lateModes, tiers } from '../decision/vocabulary.ts';
import type { Node } from './document.ts';
import type { Report } from './problems.ts';
import { type Fields, readFields, readOneOf } from './read.ts';
import { readLabel, unlabelled } from './sensitivity.ts';
import { budgetMsBounds, optionalInteger, section } from './settings.ts';
import { type Sourced, sourced } from './source-variables.ts';
import { readHttpSource, type SourceSurroundings, sourceFields } from './sources.ts';

export interface DeclaredDependencies {
  readonly settings: Readonly<Record<Dependency, DependencySettings>>;
  /** How sensitive what the model says is; null where no model is asked. */
  readonly model: Sensitivity | null;
}

const common = ['budgetMs', 'retries', 'onFailure', 'late', 'source'];
const labels = ['class', 'category'];

export function readDependencies(report: Report, root: Fields, around: SourceSurroundings): DeclaredDependencies {
  const fields = section(report, root, 'dependencies', dependencies);
  const read = dependencies.map((name) => [name, readDependency(report, fields?.get(name), name, around)] as const);
  const settings = Object.fromEntries(read) as Record<Dependency, DependencySettings>;
  return { settings, model: settings.model.source === null ? null : readModelLabel(report, fields?.get('model')) };
}

function readDependency(report: Report, node: Node | undefined, name: Dependency, around: SourceSurroundings): DependencySettings {
  const what = `dependency \`${name}\``;
  const fields = node && readFields(report, node, what, knownFields(name));
  const onFailure = fields?.get('onFailure');
  const late = fields?.get('late');
  const source = fields === undefined ? null : readSource(report, fields, name, what, around);
  if (fields !== undefined && source === null && isOfSourcesOnly(name)) {
    const message = `nobody asks ${what} without \`source: http\`, so its settings change nothing: write its source, or leave them out`;
    report.warning('not-acted-on', fields.at, message);
  }
  return {
    budgetMs: optionalInteger(report, fields, 'budgetMs', what, budgetMsBounds) ?? null,
    retries: optionalInteger(report, fields, 'retries', what, { min: 0, max: 5 }) ?? 0,
    onFailure: (onFailure && readOneOf(report, onFailure, `\`onFailure\` of ${what}`, tiers)) ?? null,
    late: (late && readOneOf(report, late, `\`late\` of ${what}`, lateModes)) ?? null,
    source,
  };
}

function knownFields(name: Dependency): readonly string[] {
  if (!isSourced(name)) return common;
  return [...common, ...sourceFields, ...(name === 'model' ? labels : [])];
}

function isSourced(name: Dependency): name is Sourced {
  return (sourced as readonly Dependency[]).includes(name);
}

/** Memberships that are stored come with the profile, and the store has no model. */
function isOfSourcesOnly(name: Dependency): boolean {
  return name === 'audience' || name === 'model';
}

/** Null: the store. */
function readSource(report: Report, fields: Fields, name: Dependency, what: string, around: SourceSurroundings): HttpSourceSettings | null {
  const node = fields.get('source');
  const source = (node && readOneOf(report, node, `\`source\` of ${what}`, ['store', 'http'])) ?? 'store';
  if (source === 'http' && isSourced(name)) return readHttpSource(report, fields, name, what, around);
  if (source === 'http') {
    const message = `${what} is always the store's: write \`source: store\`, or leave it out`;
    report.error('source-not-allowed', node?.at ?? fields.at, message);
    return null;
  }
  for (const field of sourceFields) {
    if (fields.get(field) === undefined) continue;
    const message = `\`${field}\` of ${what} belongs to \`source: http\`: write that beside it, or leave it out`;
    report.error('unknown-field', fields.keyAt(field), message);
  }
  return null;
}

/** What a model says of a person is as sensitive as its author declares; undeclared, as sensitive as can be. */
function readModelLabel(report: Report, node: Node | undefined): Sensitivity {
  const what = 'dependency `model`';
  // Its fields were read, and judged, before.
  const fields = node && readFields(silent, node, what, knownFields('model'));
  if (fields === undefined) return unlabelled;
  if (fields.get('class') === undefined) {
    const message = `${what} declares no class, so every offer that asks it counts as S3 and is never eligible: write \`class: S1\``;
    report.warning('class-not-enabled', fields.at, message);
  }
  return readLabel(report, fields, what, unlabelled);
}

const silent: Report = { error: () => {}, warning: () => {} };
