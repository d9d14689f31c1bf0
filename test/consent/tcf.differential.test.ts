/**
 * Our reader of TC strings against the IAB's own, `@iabtechlabtcf/core`: on strings that the library wrote out of random values, and on
 * damaged ones. Where the two part, the reason stands in a table here, with a string that shows it.
 */
import { Segment, SegmentEncoder, TCModel, TCString, type Vector } from '@iabtechlabtcf/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTcString } from '../../src/consent/tcf.ts';
import { seed } from '../oracle/runs.ts';
import { encodeTcString, type TcFields } from './encode-tcf.ts';
import { type Fields, fieldsOf, numbersTo } from './tcf-fields.ts';

const casesPerProperty = process.env.STEPWELL_TEST_LONG === '1' ? 200_000 : 3000;
const highestVendor = 80;
/** Those that strings are written about, and the ends of what an id can be. */
const askedVendors = [...numbersTo(highestVendor + 2), 65_534, 65_535];

interface Written {
  readonly text: string;
  readonly fields: Omit<Fields, 'restrictions'>;
}

const bits = (last: number) => fc.subarray([...numbersTo(last)]);
/** Sparse, in runs, and full: the library writes bits or ranges, whichever is shorter. */
const vendors = fc.oneof(
  fc.subarray([...numbersTo(highestVendor)], { maxLength: 6 }),
  fc
    .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 19 }), fc.subarray([...numbersTo(highestVendor)], { maxLength: 2 }))
    .map(([first, more, others]) =>
      [...new Set([...others, ...numbersTo(more + 1).map((step) => first + step - 1)])].sort((a, b) => a - b),
    ),
  bits(highestVendor),
  fc.constantFrom(...[[65_535], ...Array.from({ length: 9 }, () => [])]),
);
const letters = fc.string({ unit: fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), minLength: 2, maxLength: 2 });
const deciseconds = fc.nat(2 ** 31).map((value) => value * 10 * 100);
const restriction = fc.record({ purpose: fc.integer({ min: 1, max: 24 }), type: fc.constantFrom(0, 1, 2), vendors });
const segmentOrder = fc.shuffledSubarray([Segment.VENDORS_DISCLOSED, Segment.VENDORS_ALLOWED, Segment.PUBLISHER_TC]);

const strings: fc.Arbitrary<Written> = fc
  .record({
    numbers: fc.tuple(fc.integer({ min: 2, max: 4095 }), fc.nat(4095), fc.nat(63), fc.nat(4095), fc.nat(63)),
    created: deciseconds,
    lastUpdated: deciseconds,
    flags: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
    language: letters,
    country: letters,
    masks: fc.tuple(bits(12), bits(24), bits(24), bits(24), bits(24)),
    vendors: fc.tuple(vendors, vendors, vendors, vendors),
    custom: fc.nat(63).chain((count) => fc.record({ count: fc.constant(count), consents: bits(count), interests: bits(count) })),
    restrictions: fc.array(restriction, { maxLength: 4 }),
    segments: segmentOrder,
  })
  .map((drawn) => {
    const model = new TCModel();
    const [cmpId, cmpVersion, consentScreen, vendorListVersion, policyVersion] = drawn.numbers;
    const [isServiceSpecific, useNonStandardTexts, purposeOneTreatment] = drawn.flags;
    Object.assign(model, { cmpId, cmpVersion, consentScreen, vendorListVersion, policyVersion });
    Object.assign(model, { isServiceSpecific, useNonStandardTexts, purposeOneTreatment });
    Object.assign(model, { created: new Date(drawn.created), lastUpdated: new Date(drawn.lastUpdated) });
    Object.assign(model, { consentLanguage: drawn.language, publisherCountryCode: drawn.country });
    const [features, consents, interests, publisherConsents, publisherInterests] = drawn.masks;
    const [vendorConsents, vendorInterests, disclosed, allowed] = drawn.vendors;
    const sets: readonly (readonly [Vector, readonly number[]])[] = [
      [model.specialFeatureOptins, features],
      [model.purposeConsents, consents],
      [model.purposeLegitimateInterests, interests],
      [model.publisherConsents, publisherConsents],
      [model.publisherLegitimateInterests, publisherInterests],
      [model.vendorConsents, vendorConsents],
      [model.vendorLegitimateInterests, vendorInterests],
      [model.vendorsDisclosed, disclosed],
      [model.vendorsAllowed, allowed],
      [model.publisherCustomConsents, drawn.custom.consents],
      [model.publisherCustomLegitimateInterests, drawn.custom.interests],
    ];
    for (const [vector, ids] of sets) vector.set([...ids]);
    model.numCustomPurposes = drawn.custom.count;
    restrict(model, drawn.restrictions);
    const text = [Segment.CORE, ...drawn.segments].map((segment) => SegmentEncoder.encode(model, segment)).join('.');
    const has = (segment: Segment) => drawn.segments.includes(segment);
    const asked = (ids: readonly number[]) => ids.filter((id) => askedVendors.includes(id));
    const publisher = (ids: readonly number[]) => (has(Segment.PUBLISHER_TC) ? ids : []);
    return {
      text,
      fields: {
        created: new Date(drawn.created).toISOString(),
        lastUpdated: new Date(drawn.lastUpdated).toISOString(),
        cmpId,
        cmpVersion,
        consentScreen,
        consentLanguage: drawn.language,
        vendorListVersion,
        policyVersion,
        isServiceSpecific,
        useNonStandardTexts,
        specialFeatureOptins: features,
        purposeConsents: consents,
        purposeLegitimateInterests: interests,
        purposeOneTreatment,
        publisherCountryCode: drawn.country,
        vendorConsents: asked(vendorConsents),
        vendorLegitimateInterests: asked(vendorInterests),
        disclosedVendors: has(Segment.VENDORS_DISCLOSED) ? asked(disclosed) : [],
        allowedVendors: has(Segment.VENDORS_ALLOWED) ? asked(allowed) : [],
        publisherConsents: publisher(publisherConsents),
        publisherLegitimateInterests: publisher(publisherInterests),
        customConsents: publisher(drawn.custom.consents),
        customLegitimateInterests: publisher(drawn.custom.interests),
      },
    };
  });

/** The library puts ids together to a range where no vendor of its list lies between them; this list has every vendor. */
function restrict(model: TCModel, drawn: readonly { purpose: number; type: number; vendors: readonly number[] }[]): void {
  const every = { vendorIds: { has: () => true } };
  model.publisherRestrictions.gvl = every as unknown as TCModel['gvl'];
  for (const { purpose, type, vendors: ids } of drawn) {
    const named = { hash: `${purpose}-${type}`, purposeId: purpose, restrictionType: type };
    for (const id of ids) model.publisherRestrictions.add(id, named as Parameters<TCModel['publisherRestrictions']['add']>[1]);
  }
}

/** What the library reads, in the same words; null: it throws. */
function fieldsOfLibrary(text: string): Fields | null {
  let model: TCModel;
  try {
    model = TCString.decode(text);
  } catch {
    return null;
  }
  const idsIn = (vector: Vector, ids: readonly number[]) => ids.filter((id) => vector.has(id));
  const restrictions: Record<string, readonly number[]> = {};
  for (const found of model.publisherRestrictions.getRestrictions()) {
    const restricted = new Set(model.publisherRestrictions.getVendors(found));
    const ids = askedVendors.filter((id) => restricted.has(id));
    if (ids.length > 0) restrictions[found.hash] = ids;
  }
  return {
    created: model.created.toISOString(),
    lastUpdated: model.lastUpdated.toISOString(),
    cmpId: Number(model.cmpId),
    cmpVersion: Number(model.cmpVersion),
    consentScreen: Number(model.consentScreen),
    consentLanguage: model.consentLanguage,
    vendorListVersion: Number(model.vendorListVersion),
    policyVersion: Number(model.policyVersion),
    isServiceSpecific: model.isServiceSpecific,
    useNonStandardTexts: model.useNonStandardTexts,
    specialFeatureOptins: idsIn(model.specialFeatureOptins, numbersTo(12)),
    purposeConsents: idsIn(model.purposeConsents, numbersTo(24)),
    purposeLegitimateInterests: idsIn(model.purposeLegitimateInterests, numbersTo(24)),
    purposeOneTreatment: model.purposeOneTreatment,
    publisherCountryCode: model.publisherCountryCode,
    vendorConsents: idsIn(model.vendorConsents, askedVendors),
    vendorLegitimateInterests: idsIn(model.vendorLegitimateInterests, askedVendors),
    disclosedVendors: idsIn(model.vendorsDisclosed, askedVendors),
    allowedVendors: idsIn(model.vendorsAllowed, askedVendors),
    restrictions,
    publisherConsents: idsIn(model.publisherConsents, numbersTo(24)),
    publisherLegitimateInterests: idsIn(model.publisherLegitimateInterests, numbersTo(24)),
    customConsents: idsIn(model.publisherCustomConsents, numbersTo(63)),
    customLegitimateInterests: idsIn(model.publisherCustomLegitimateInterests, numbersTo(63)),
  };
}

const plain: TcFields = { day: 20_000, consents: [1], vendorConsents: [1111] };
const text = encodeTcString(plain);

function firstVersion(): string {
  const model = new TCModel();
  Object.assign(model, { version: 1, cmpId: 300, created: new Date(0), lastUpdated: new Date(0) });
  return SegmentEncoder.encode(model, Segment.CORE);
}

/** What the library reads and we refuse, by the word we refuse it with. */
const refusedByUs: Readonly<Record<string, { readonly because: string; readonly example: string }>> = {
  too_long: { because: 'the library has no limit', example: `${text}.${'I'.padEnd(5000, 'A')}` },
  version: { because: 'the library still reads version 1', example: firstVersion() },
  range: {
    because: 'the library takes ranges backwards, from vendor 0, and beyond the highest id that the list itself names',
    example: encodeTcString({ ...plain, vendorConsents: { maxVendorId: 100, ranges: [[90, 101]] } }),
  },
  segments: {
    because: 'the library reads a segment as often as it comes and keeps the last, the core as well',
    example: `${text}.${text.split('.')[1]}`,
  },
  value: {
    because: 'the library takes some signs that are no letters for a language or a country',
    example: encodeTcString({ ...plain, publisherCountry: '[]' }),
  },
};

/** What we read and the library refuses. */
const refusedByLibrary = [
  { because: 'numbers of CMPs begin at 2', test: (said: Fields) => said.cmpId < 2, example: encodeTcString({ ...plain, cmpId: 1 }) },
] as const;

describe('a TC string that the library wrote', () => {
  console.log(`TC strings of the library: seed ${seed}, replay with FC_SEED=${seed}`);

  it('is read field by field as it was written, and as the library reads it', { timeout: 0 }, () => {
    fc.assert(
      fc.property(strings, ({ text, fields }) => {
        if (text.length > 4096) return;
        const said = fieldsOf(text, askedVendors);
        expect(said).toMatchObject(fields);
        expect(said).toEqual(fieldsOfLibrary(text));
      }),
      { numRuns: casesPerProperty, seed },
    );
  });

  it('damaged, is read as the library reads it, or one refuses it for a reason that is known', { timeout: 0 }, () => {
    const damage = fc.record({
      at: fc.nat(),
      cut: fc.nat(3),
      put: fc.string({ unit: fc.constantFrom(...'AQgBYIyn1-_.='), maxLength: 3 }),
      again: fc.boolean(),
    });
    fc.assert(
      fc.property(strings, damage, ({ text }, { at, cut, put, again }) => {
        const start = at % (text.length + 1);
        const damaged = text.slice(0, start) + put + text.slice(start + cut) + (again ? `.${text.split('.').at(-1)}` : '');
        const said = fieldsOf(damaged, askedVendors);
        const library = fieldsOfLibrary(damaged);
        if (typeof said === 'string') {
          if (library !== null && refusedByUs[said] === undefined) throw new Error(`refused as ${said} without a reason: ${damaged}`);
        } else if (library === null) {
          if (!refusedByLibrary.some(({ test }) => test(said))) throw new Error(`read, and not by the library: ${damaged}`);
        } else expect(said).toEqual(library);
      }),
      { numRuns: casesPerProperty, seed },
    );
  });

  it.each(Object.entries(refusedByUs))('is refused as `%s` though the library reads it', (error, { example }) => {
    expect(fieldsOfLibrary(example)).not.toBeNull();
    expect(readTcString(example)).toBe(error);
  });

  it.each(refusedByLibrary)('is read though the library refuses it: $because', ({ example, test }) => {
    expect(fieldsOfLibrary(example)).toBeNull();
    expect(test(fieldsOf(example, askedVendors) as Fields)).toBe(true);
  });

  it('would be found to differ by one bit', () => {
    const { text: written } = fc.sample(strings, { seed: 3, numRuns: 1 })[0] as Written;
    const said = fieldsOf(written, askedVendors) as Fields;
    expect(said).toEqual(fieldsOfLibrary(written));
    expect({ ...said, purposeConsents: [...said.purposeConsents, 25] }).not.toEqual(fieldsOfLibrary(written));
  });
});
