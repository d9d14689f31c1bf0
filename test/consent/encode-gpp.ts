/** Writes GPP strings out of section ids and field values: what the tests of our reader start from. */
import type { UsField, UsListField, UsSectionKind } from '../../src/consent/gpp-us-sections.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Fields that are not named are 0; `gpc` and `sensitiveApart` stand in a subsection of their own, if at all. */
export interface UsValues {
  readonly version?: number;
  readonly fields?: Partial<Record<UsField, number>>;
  readonly lists?: Partial<Record<UsListField, readonly number[]>>;
  readonly gpc?: boolean;
  readonly sensitiveApart?: readonly number[];
}

export function gppOf(sections: readonly (readonly [id: number, text: string])[]): string {
  const sorted = sections.toSorted(([a], [b]) => a - b);
  return [headerOf(sorted.map(([id]) => id)), ...sorted.map(([, text]) => text)].join('~');
}

/** Every id on its own, never as a group. */
export function headerOf(ids: readonly number[]): string {
  let last = 0;
  let bits = bitsOf(3, 6) + bitsOf(1, 6) + bitsOf(ids.length, 12);
  for (const id of ids) {
    bits += `0${fibonacci(id - last)}`;
    last = id;
  }
  return textOf(bits);
}

export function usSectionText(kind: UsSectionKind, { version = 1, fields = {}, lists = {}, gpc, sensitiveApart }: UsValues): string {
  let bits = bitsOf(version, 6);
  for (const field of kind.versions[version] ?? []) {
    if (typeof field === 'string') bits += bitsOf(fields[field] ?? 0, 2);
    else for (let index = 0; index < field[1]; index += 1) bits += bitsOf(lists[field[0]]?.[index] ?? 0, 2);
  }
  const segments = [textOf(bits)];
  if (gpc !== undefined) segments.push(textOf(`01${gpc ? 1 : 0}`));
  if (sensitiveApart !== undefined) segments.push(textOf(sensitiveApart.map((value) => bitsOf(value, 2)).join('')));
  return segments.join('.');
}

export function fibonacci(value: number): string {
  const weights = [1, 2];
  while ((weights.at(-1) ?? 0) <= value) weights.push((weights.at(-1) ?? 0) + (weights.at(-2) ?? 0));
  let left = value;
  let bits = '';
  for (const weight of weights.toReversed()) {
    if (bits === '' && weight > left) continue;
    bits = (weight <= left ? '1' : '0') + bits;
    if (weight <= left) left -= weight;
  }
  return `${bits}1`;
}

export function bitsOf(value: number, length: number): string {
  return value.toString(2).padStart(length, '0');
}

export function textOf(bits: string): string {
  const padded = bits.padEnd(Math.ceil(bits.length / 6) * 6, '0');
  return (padded.match(/.{6}/g) ?? []).map((sextet) => alphabet[Number.parseInt(sextet, 2)]).join('');
}
