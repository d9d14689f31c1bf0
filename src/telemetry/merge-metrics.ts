/**
 * Several processes' metrics as one, in the Prometheus text format: counts and histograms are added up, and so is what is under
 * way; of any other gauge, which every process tells of the same thing, the highest stands, because gauges here are alarms.
 */
import { gaugesAddedUp } from './names.ts';

interface Family {
  /** `# HELP`, `# UNIT` and `# TYPE` lines, as the first process wrote them. */
  readonly heads: string[];
  type: string;
  readonly series: Map<string, number>;
}

export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) addText(families, text);
  return textOf(families);
}

/** What a process has counted, without how it stood: what is left of one that has ended. */
export function countsOnly(text: string): string {
  const families = new Map<string, Family>();
  addText(families, text);
  return textOf(new Map([...families].filter(([, { type }]) => type !== 'gauge')));
}

function textOf(families: ReadonlyMap<string, Family>): string {
  const lines: string[] = [];
  for (const { heads, series } of families.values()) {
    lines.push(...heads);
    for (const [name, value] of series) lines.push(`${name} ${written(value)}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function addText(families: Map<string, Family>, text: string): void {
  let family: Family | undefined;
  const known = new Set(families.keys());
  for (const line of text.split('\n')) {
    const head = /^# (HELP|TYPE|UNIT) (\S+)(?: (.*))?$/.exec(line);
    if (head !== null) {
      const [, kind, name = '', rest = ''] = head;
      family = families.get(name) ?? newFamily(families, name);
      if (kind === 'TYPE') family.type = rest;
      if (!known.has(name)) family.heads.push(line);
      continue;
    }
    const sample = /^([^\s{]+(?:\{.*\})?) (\S+)$/.exec(line);
    if (sample === null) continue;
    const [, series = '', value = ''] = sample;
    family ??= newFamily(families, series);
    const before = family.series.get(series);
    family.series.set(series, before === undefined ? Number(value) : combined(family.type, series, before, Number(value)));
  }
}

function newFamily(families: Map<string, Family>, name: string): Family {
  const family: Family = { heads: [], type: 'untyped', series: new Map() };
  families.set(name, family);
  return family;
}

function combined(type: string, series: string, before: number, value: number): number {
  return type === 'gauge' && !gaugesAddedUp.has(series) ? Math.max(before, value) : before + value;
}

function written(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
