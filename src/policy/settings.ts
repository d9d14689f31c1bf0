/** The sections that hold numbers and switches. What is left out gets a default that asks for nothing and grants nothing. */
import { type Artefact, type ConsentSettings, type DeviceSettings, deviceDefaults } from '../decision/artefact.ts';
import { dayMs } from '../time/units.ts';
import type { Node } from './document.ts';
import { checkName } from './names.ts';
import type { Report } from './problems.ts';
import { type Bounds, type Fields, readBoolean, readFields, readInteger, readMap, readOneOf, readText, readTexts } from './read.ts';

export const budgetMsBounds: Bounds = { min: 0, max: 60_000 };
export const deadlineMsBounds: Bounds = { min: 1, max: 60_000 };
/** What a device was given ends by itself within a week, also where it never comes back. */
const deviceHoursBounds: Bounds = { min: 1, max: 168 };

const regimes = ['us_opt_out', 'opt_in'] as const;
const country = /^[A-Z]{2}$/;
const countriesMax = 250;
const categoriesMax = 32;

export function optionalInteger(
  report: Report,
  fields: Fields | undefined,
  name: string,
  what: string,
  bounds: Bounds,
): number | undefined {
  const node = fields?.get(name);
  return node && readInteger(report, node, `\`${name}\` of ${what}`, bounds);
}

/** A section that is a map of fields, or undefined where it is left out or wrong. */
export function section(report: Report, root: Fields, name: string, known: readonly string[]): Fields | undefined {
  const node = root.get(name);
  return node && readFields(report, node, `\`${name}\``, known);
}

export function readConsent(report: Report, root: Fields): ConsentSettings {
  const fields = section(report, root, 'consent', ['path', 'vendorId', 'maxAgeDays', 'regimes', 'purposeOneCountries']);
  const pathNode = fields?.get('path');
  const purposeOneNode = fields?.get('purposeOneCountries');
  return {
    path: (pathNode && readOneOf(report, pathNode, '`path` of `consent`', ['vendor', 'publisher'])) ?? 'vendor',
    vendorId: optionalInteger(report, fields, 'vendorId', '`consent`', { min: 1, max: 65_535 }) ?? null,
    maxAgeDays: optionalInteger(report, fields, 'maxAgeDays', '`consent`', { min: 1, max: 395 }) ?? 180,
    regimes: readRegimes(report, fields?.get('regimes')),
    purposeOneCountries:
      (purposeOneNode &&
        readTexts(report, purposeOneNode, '`purposeOneCountries`', countriesMax, (item) => {
          const name = readText(report, item, 'a country');
          return name !== undefined && checkCountry(report, name, item.at) ? name : undefined;
        })) ??
      [],
  };
}

function readRegimes(report: Report, node: Node | undefined): Readonly<Record<string, string>> {
  const regimeOf: Record<string, string> = Object.create(null);
  const map = node && readMap(report, node, '`regimes` of `consent`');
  for (const entry of (map?.entries ?? []).toSorted((a, b) => (a.key < b.key ? -1 : 1))) {
    const regime = readOneOf(report, entry.value, `the regime of \`${entry.key}\``, regimes);
    if (checkCountry(report, entry.key, entry.keyAt) && regime !== undefined) regimeOf[entry.key] = regime;
  }
  return regimeOf;
}

function checkCountry(report: Report, name: string, at: number): boolean {
  if (country.test(name)) return true;
  report.error('unknown-value', at, `\`${name.slice(0, 20)}\` is no country code: write two capital letters, such as \`DE\``);
  return false;
}

export function readDeadline(report: Report, root: Fields): Artefact['deadline'] {
  const fields = section(report, root, 'deadline', ['defaultMs', 'minMs', 'maxMs']);
  const read = (name: string) => optionalInteger(report, fields, name, '`deadline`', deadlineMsBounds);
  // Where only some are written, the others' defaults give way, so that writing one number is never a contradiction.
  const [written, minWritten, maxWritten] = [read('defaultMs'), read('minMs'), read('maxMs')];
  const minMs = minWritten ?? Math.min(5, written ?? 5, maxWritten ?? 5);
  const maxMs = maxWritten ?? Math.max(500, written ?? 0, minMs);
  const defaultMs = written ?? Math.min(Math.max(60, minMs), maxMs);
  if (minMs > defaultMs || defaultMs > maxMs) {
    const at = fields?.at ?? root.at;
    report.error(
      'deadline-out-of-bounds',
      at,
      `\`deadline\` must rise from minMs over defaultMs to maxMs: it says ${minMs}, ${defaultMs}, ${maxMs}`,
    );
  }
  return { defaultMs, minMs, maxMs };
}

export function readFreshnessMaxMs(report: Report, root: Fields): number {
  const fields = section(report, root, 'freshness', ['maxMs']);
  return optionalInteger(report, fields, 'maxMs', '`freshness`', { min: 0, max: dayMs }) ?? 0;
}

/** What devices are given to decide by, and for how long. */
export function readDevice(report: Report, root: Fields): { readonly device?: DeviceSettings } {
  const fields = section(report, root, 'device', ['enabled', 'maxAgeHours']);
  if (fields === undefined) return {};
  const enabledNode = fields.get('enabled');
  const enabled = (enabledNode && readBoolean(report, enabledNode, '`enabled` of `device`')) ?? deviceDefaults.enabled;
  const maxAgeHours = optionalInteger(report, fields, 'maxAgeHours', '`device`', deviceHoursBounds) ?? deviceDefaults.maxAgeHours;
  return { device: { enabled, maxAgeHours } };
}

export function readContextualWithoutSignal(report: Report, root: Fields): boolean {
  const node = root.get('contextualWithoutSignal');
  return (node && readBoolean(report, node, '`contextualWithoutSignal`')) ?? false;
}

/** The special categories that are switched on. */
export function readSensitiveCategories(report: Report, root: Fields): readonly string[] {
  const s3 = section(report, root, 'sensitive', ['S3'])?.get('S3');
  const fields = s3 && readFields(report, s3, '`sensitive.S3`', ['enabled', 'categories']);
  const enabledNode = fields?.get('enabled');
  const categoriesNode = fields?.get('categories');
  const enabled = (enabledNode && readBoolean(report, enabledNode, '`enabled` of `sensitive.S3`')) ?? false;
  const categories = categoriesNode && readTexts(report, categoriesNode, '`categories` of `sensitive.S3`', categoriesMax);
  if (categories !== undefined && categoriesNode?.kind === 'list') {
    for (const item of categoriesNode.items) {
      if (item.kind === 'scalar' && typeof item.value === 'string' && item.value.trim() !== '')
        checkName(report, item.value, item.at, 'a category');
    }
  }
  if (enabled && (categories === undefined || categories.length === 0) && fields !== undefined) {
    report.warning('class-not-enabled', fields.at, 'S3 is enabled for no category: write `categories: [ … ]`');
  }
  return enabled ? (categories ?? []).sort() : [];
}
