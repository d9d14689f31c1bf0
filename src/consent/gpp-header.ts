/**
 * Reads the first part of a GPP string: which sections follow, in their order. Section ids are ranges of Fibonacci-coded distances;
 * a range is never expanded further than a string may have sections.
 */
import { BitReader } from './bits.ts';
import type { ConsentError } from './signal.ts';

export const gppSectionsMax = 32;
const headerType = 3;
const headerVersion = 1;
/**
 * Encoders fill up to whole characters (6 bits), whole bytes (8 bits) or first one and then the other, in either order: all come to
 * at most 11 zeros. More are fields that the layout does not have.
 */
const paddingBitsMax = 11;
/** The longest code word we follow: its number is far above any section id. */
const fibonacciBitsMax = 24;

/** `sections`: how many follow. A header that names another number is wrong whatever else it says. */
export function readGppHeader(text: string, sections: number): readonly number[] | ConsentError {
  const bits = BitReader.of(text);
  if (bits === null) return 'alphabet';
  const type = bits.read(6);
  const version = bits.read(6);
  const entries = bits.read(12);
  if (bits.isShort) return 'truncated';
  if (type !== headerType || version !== headerVersion) return 'version';
  const ids: number[] = [];
  let last = 0;
  for (let entry = 0; entry < entries; entry += 1) {
    const isGroup = bits.flag();
    const first = last + readFibonacci(bits);
    last = isGroup ? first + readFibonacci(bits) : first;
    if (bits.isShort) return 'truncated';
    if (Number.isNaN(last)) return 'range';
    if (ids.length + (last - first) >= gppSectionsMax) return 'section_count';
    for (let id = first; id <= last; id += 1) ids.push(id);
  }
  if (ids.length !== sections) return 'section_count';
  return isPaddingOnly(bits) ? ids : 'trailing_bits';
}

/** Whether all that is left may be there to fill up the last characters. */
export function isPaddingOnly(bits: BitReader): boolean {
  return bits.remaining <= paddingBitsMax && bits.restIsZero();
}

/** At least 1. NaN: no code word ended within what we follow. */
function readFibonacci(bits: BitReader): number {
  let value = 0;
  let weight = 1;
  let next = 2;
  let wasSet = false;
  for (let count = 0; count < fibonacciBitsMax && !bits.isShort; count += 1) {
    const isSet = bits.flag();
    if (isSet && wasSet) return value;
    if (isSet) value += weight;
    [weight, next] = [next, weight + next];
    wasSet = isSet;
  }
  return Number.NaN;
}
