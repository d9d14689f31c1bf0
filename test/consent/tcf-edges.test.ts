/** The edges of what a TC string may hold, and several strings of one day joined to the stricter. */
import { describe, expect, it } from 'vitest';
import { readTcString, tcfCharsMax } from '../../src/consent/tcf.ts';
import { type Allowed, strictest } from '../../src/consent/tcf-use-cases.ts';
import { encodeTcString } from './encode-tcf.ts';

const read = (fields: object) => readTcString(encodeTcString({ day: 20_000, ...fields }));

describe('a TC string', () => {
  it.each([
    ['AA', 'AA'],
    ['ZZ', 'ZZ'],
    ['AT', 'AT'],
  ])('may name the country %s', (publisherCountry, expected) => {
    expect(read({ publisherCountry })).toMatchObject({ publisherCountryCode: expected });
  });

  it.each(['[A', 'A[', '[['])('does not name %s, which has a sign beyond Z', (publisherCountry) => {
    expect(read({ publisherCountry })).toBe('value');
  });

  it('restricts the purposes that there are', () => {
    const restricting = (purpose: number) => read({ restrictions: [{ purpose, type: 0, ranges: [[1111, 1111]] }] });
    expect(restricting(1)).toMatchObject({ publisherRestrictions: [{ purpose: 1, type: 'not_allowed' }] });
    expect(restricting(24)).toMatchObject({ publisherRestrictions: [{ purpose: 24 }] });
    expect([restricting(0), restricting(25)]).toEqual(['value', 'value']);
  });

  it('may be as long as a text may be, and no longer', () => {
    const core = encodeTcString({ day: 20_000, disclosed: null });
    expect(typeof readTcString(core.padEnd(tcfCharsMax, 'A'))).toBe('object');
    expect(readTcString(core.padEnd(tcfCharsMax + 1, 'A'))).toBe('too_long');
  });

  it('holds vendors from the first of a range to the last', () => {
    const said = read({
      vendorConsents: {
        maxVendorId: 30,
        ranges: [
          [10, 20],
          [30, 30],
        ],
      },
    });
    if (typeof said === 'string') throw new Error(said);
    expect([0, 9, 10, 20, 21, 29, 30, 31].map((id) => said.vendorConsents.has(id))).toEqual([
      false,
      false,
      true,
      true,
      false,
      false,
      true,
      false,
    ]);
    expect(read({ vendorConsents: { maxVendorId: 30, ranges: [[20, 10]] } })).toBe('range');
    expect(read({ vendorConsents: { maxVendorId: 30, ranges: [[0, 10]] } })).toBe('range');
    expect(read({ vendorConsents: { maxVendorId: 30, ranges: [[20, 31]] } })).toBe('range');
  });
});

describe('strings of one day', () => {
  const allowed: Allowed = { disclosed: true, consents: 0b1110, legitimateInterests: 0b0111, purposeOne: 'asked' };

  it('are as strict as the stricter of each bit', () => {
    const other: Allowed = { disclosed: false, consents: 0b0110, legitimateInterests: 0b1110, purposeOne: 'asked' };
    const joined = { disclosed: false, consents: 0b0110, legitimateInterests: 0b0110, purposeOne: 'asked' };
    expect(strictest([allowed, other])).toEqual(joined);
    expect(strictest([other, allowed])).toEqual(joined);
    expect(strictest([allowed])).toEqual(allowed);
  });

  it.each([
    ['not_needed', 'asked', 'asked'],
    ['asked', 'not_needed', 'asked'],
    ['asked', 'not_shown', 'not_shown'],
    ['not_shown', 'asked', 'not_shown'],
    ['not_shown', 'not_needed', 'not_shown'],
    ['not_needed', 'not_needed', 'not_needed'],
  ] as const)('of which one says %s of purpose 1 and the other %s say %s', (one, other, expected) => {
    expect(
      strictest([
        { ...allowed, purposeOne: one },
        { ...allowed, purposeOne: other },
      ]).purposeOne,
    ).toBe(expected);
  });
});
