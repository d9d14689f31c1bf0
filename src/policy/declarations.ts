/** The sections `attributes` and `audiences`: what conditions may name, with types and classes. */
import type { AttributeDeclaration, AttributeType, AudienceDeclaration } from '../decision/artefact.ts';
import { type AttributeSource, attributeSources } from '../decision/expression.ts';
import type { Declarations } from './condition.ts';
import type { Node } from './document.ts';
import { readNamed } from './names.ts';
import { warnIfTelling } from './opaque-ids.ts';
import type { Report } from './problems.ts';
import { type Fields, readBoolean, readFields, readOneOf, readTexts, required } from './read.ts';
import { isSensitive, readLabel, unlabelled } from './sensitivity.ts';
import { optionalInteger } from './settings.ts';
import { hasHttpSource } from './sources.ts';

const attributeTypes = ['string', 'int', 'bool', 'timestamp', 'strings'] as const satisfies readonly AttributeType[];
const attributesMax = 1_000;
const audiencesMax = 10_000;
const valuesMax = 1_000;
const retentionDaysMax = 3_650;
/** The TCF has two: precise geolocation, and scanning the device to tell it apart. */
const specialFeatureMax = 2;
/** What is stored with a person ends some day; what a visitor's device may be asked for, they must opt in to. */
const fieldsOfSource: Readonly<Record<AttributeSource, readonly string[]>> = {
  request: ['specialFeature'],
  session: [],
  profile: ['retentionDays'],
  device: [],
};

/** Parameters of the cacheable call and members of a request's context: an attribute of that name could not be told from them. */
const takenByRequests: readonly string[] = ['page', 'zones', 'audiences'];

export function readDeclarations(report: Report, root: Fields): Declarations {
  const untyped = new Set<AttributeDeclaration>();
  return {
    attributes: readAttributes(report, root.get('attributes'), untyped),
    audiences: readAudiences(report, root.get('audiences')),
    untyped,
    audiencesComeApart: hasHttpSource(root, 'audience'),
  };
}

function readAttributes(
  report: Report,
  node: Node | undefined,
  untyped: Set<AttributeDeclaration>,
): Record<AttributeSource, Map<string, AttributeDeclaration>> {
  const attributes = {
    request: new Map<string, AttributeDeclaration>(),
    session: new Map<string, AttributeDeclaration>(),
    profile: new Map<string, AttributeDeclaration>(),
    device: new Map<string, AttributeDeclaration>(),
  };
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return attributes;
  const fields = readFields(report, node, '`attributes`', attributeSources);
  if (fields === undefined) return attributes;
  for (const source of attributeSources) {
    for (const { id, at, node: declared } of readNamed(
      report,
      fields.get(source),
      `\`attributes.${source}\``,
      'an attribute',
      attributesMax,
    )) {
      if (source === 'request' && takenByRequests.includes(id)) {
        report.error(
          'invalid-name',
          at,
          `a request attribute cannot be named \`${id}\`: a request has a field of that name, choose another`,
        );
      }
      const also = fieldsOfSource[source];
      const attribute = readAttribute(report, declared, { what: `attribute \`${source}.${id}\``, also, untyped });
      warnIfTelling(report, { what: `a ${source} attribute`, id, at, sensitivity: attribute.sensitivity, example: 'a_31' });
      if (source === 'device') checkDeviceClass(report, declared, id, attribute);
      attributes[source].set(id, attribute);
    }
  }
  return attributes;
}

/** Whoever holds the device can read what it keeps. */
function checkDeviceClass(report: Report, node: Node, id: string, { sensitivity }: AttributeDeclaration): void {
  if (!isSensitive(sensitivity)) return;
  const message = `attribute \`device.${id}\` is of class ${sensitivity.class}, and a device keeps nothing above S1: write \`class: S1\`, or leave it out`;
  report.error('device-not-allowed', node.at, message);
}

interface AttributePlace {
  readonly what: string;
  /** What may be said of attributes of this source alone. */
  readonly also: readonly string[];
  readonly untyped: Set<AttributeDeclaration>;
}

/** A broken declaration still declares the name, so that its uses are not reported as unknown. */
function readAttribute(report: Report, node: Node, { what, also, untyped }: AttributePlace): AttributeDeclaration {
  const known = ['type', 'values', 'class', 'category'];
  const fields = readFields(report, node, what, [...known, ...also]);
  const typeNode = fields && required(report, fields, 'type', what, '`type: string`, int, bool, timestamp or strings');
  const type = typeNode && readOneOf(report, typeNode, `the type of ${what}`, attributeTypes);
  const values = fields === undefined ? null : readValues(report, fields, what, type);
  const sensitivity = fields === undefined ? unlabelled : readLabel(report, fields, what, unlabelled);
  const onSource = { ...readRetention(report, fields, what), ...readSpecialFeature(report, fields, what) };
  const declaration: AttributeDeclaration = { type: type ?? 'string', values, sensitivity, ...onSource };
  if (type === undefined) untyped.add(declaration);
  return declaration;
}

function readRetention(report: Report, fields: Fields | undefined, what: string): { readonly retentionDays?: number } {
  const retentionDays = optionalInteger(report, fields, 'retentionDays', what, { min: 1, max: retentionDaysMax });
  return retentionDays === undefined ? {} : { retentionDays };
}

function readSpecialFeature(report: Report, fields: Fields | undefined, what: string): { readonly specialFeature?: number } {
  const specialFeature = optionalInteger(report, fields, 'specialFeature', what, { min: 1, max: specialFeatureMax });
  return specialFeature === undefined ? {} : { specialFeature };
}

function readValues(report: Report, fields: Fields, what: string, type: AttributeType | undefined): readonly string[] | null {
  const node = fields.get('values');
  if (node === undefined) return null;
  if (type !== undefined && type !== 'string' && type !== 'strings') {
    report.error('unknown-field', fields.keyAt('values'), `${what} is of type ${type}: only string and strings take \`values\``);
    return null;
  }
  const values = readTexts(report, node, `\`values\` of ${what}`, valuesMax);
  if (values?.length === 0 && node.kind === 'list' && node.items.length === 0) {
    report.error('missing-field', node.at, `\`values\` of ${what} is empty: write the values allowed, or leave it out for any`);
  }
  return values === undefined || values.length === 0 ? null : values;
}

function readAudiences(report: Report, node: Node | undefined): Map<string, AudienceDeclaration> {
  const audiences = new Map<string, AudienceDeclaration>();
  for (const { id, at, node: declared } of readNamed(report, node, '`audiences`', 'an audience', audiencesMax)) {
    const what = `audience \`${id}\``;
    const fields = readFields(report, declared, what, ['class', 'category', 'edge', 'retentionDays']);
    const edge = fields?.get('edge');
    const sensitivity = fields === undefined ? unlabelled : readLabel(report, fields, what, unlabelled);
    warnIfTelling(report, { what: 'an audience', id, at, sensitivity, example: 'g-31' });
    audiences.set(id, {
      sensitivity,
      edge: (edge && readBoolean(report, edge, `\`edge\` of ${what}`)) ?? false,
      ...readRetention(report, fields, what),
    });
  }
  return audiences;
}
