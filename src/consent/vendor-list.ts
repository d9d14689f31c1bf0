/**
 * A set of vendors as TC strings hold it: a bit for each vendor, or ranges of ids. Ranges are asked whether they hold an id and never
 * expanded, so 300 ranges over all 65,535 ids cost 300 comparisons.
 */
import type { BitReader } from './bits.ts';
import type { ConsentError } from './signal.ts';

const vendorIdBits = 16;
const entryCountBits = 12;
/** An entry is a flag and at least one id. */
const entryBitsMin = 1 + vendorIdBits;

export interface VendorList {
  readonly maxVendorId: number;
  has(vendorId: number): boolean;
}

/** First and last ids, both inclusive, in the order of the text. */
export class VendorRanges {
  readonly firsts: Uint16Array;
  readonly lasts: Uint16Array;

  constructor(firsts: Uint16Array, lasts: Uint16Array) {
    this.firsts = firsts;
    this.lasts = lasts;
  }

  has(vendorId: number): boolean {
    for (let index = 0; index < this.firsts.length; index += 1) {
      if ((this.firsts[index] ?? 0) <= vendorId && vendorId <= (this.lasts[index] ?? 0)) return true;
    }
    return false;
  }
}

export function readVendorList(bits: BitReader): VendorList | ConsentError {
  const maxVendorId = bits.read(vendorIdBits);
  if (bits.flag()) {
    const ranges = readVendorRanges(bits, maxVendorId);
    return ranges instanceof VendorRanges ? { maxVendorId, has: (vendorId) => ranges.has(vendorId) } : ranges;
  }
  const start = bits.position;
  bits.skip(maxVendorId);
  if (bits.isShort) return 'truncated';
  return { maxVendorId, has: (vendorId) => vendorId >= 1 && vendorId <= maxVendorId && bits.bitAt(start + vendorId - 1) };
}

/** `maxVendorId`: the highest id that may stand in them. */
export function readVendorRanges(bits: BitReader, maxVendorId: number): VendorRanges | ConsentError {
  const count = bits.read(entryCountBits);
  // Before anything is made of that size: the text must be long enough for so many.
  if (bits.isShort || count * entryBitsMin > bits.remaining) return 'truncated';
  const firsts = new Uint16Array(count);
  const lasts = new Uint16Array(count);
  for (let index = 0; index < count; index += 1) {
    const isRange = bits.flag();
    const first = bits.read(vendorIdBits);
    const last = isRange ? bits.read(vendorIdBits) : first;
    if (bits.isShort) return 'truncated';
    if (first === 0 || last < first || last > maxVendorId) return 'range';
    firsts[index] = first;
    lasts[index] = last;
  }
  return new VendorRanges(firsts, lasts);
}
