/**
 * Our reader of GPP strings against an independent one, `@iabgpp/cmpapi`: on strings that it wrote itself out of random values, where
 * both must read exactly what was written; and on damaged ones, where ours may refuse what it takes, but only for a reason listed here.
 */
import { GppModel } from '@iabgpp/cmpapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usSectionKinds } from '../../src/consent/gpp-us-sections.ts';
import type { ConsentError } from '../../src/consent/signal.ts';
import { seed } from '../oracle/runs.ts';
import { type GppSaid, saidByGpp } from './us-vectors.ts';

const casesPerProperty = process.env.STEPWELL_TEST_LONG === '1' ? 200_000 : 3000;

type Value = number | boolean | string | readonly number[];
type Fields = Readonly<Record<string, Value>>;

/** What the library takes and we do not: each a leniency that could hide an opt-out, with a string that shows it. */
const explained: Partial<Record<ConsentError, { readonly why: string; readonly example: string }>> = {
  too_long: { why: 'the library reads a US Privacy string as far as its first dot', example: 'DBABTA~1YNN.' },
  alphabet: { why: 'the library reads a header as far as its first dot', example: 'DBABTA.~1YNN' },
  version: { why: 'the library reads a section of any version as the one it knows', example: 'DBABBgA~xlgWEYCZAA' },
  value: { why: 'the library gives back what no specification defines, as 3 or as `y`', example: 'DBABTA~1yyn' },
  truncated: { why: 'the library leaves what is missing at 0, or guesses the version from the length', example: 'DBABLA~CVQqAAAACg' },
  trailing_bits: { why: 'the library ignores what follows the last field or section id', example: 'DBABLA~BVQqAAAAAgE' },
  segments: { why: 'the library ignores subsections that it does not expect', example: 'DBABLA~BVQqAAAAAg.YA.YA' },
  range: { why: 'the library follows a section id of any size', example: 'DBACTAAAEw~1YYY~BAAAAAQA.QA' },
  section: { why: 'the library skips sections that it does not know', example: 'DBABG~BAAAAAAAAA' },
};

/** The library's own list of fields, so that a field missing from our table shows. */
const libraryFields = new Map<string, Fields>(
  usSectionKinds.map(({ name }) => {
    const model = new GppModel();
    model.setFieldValue(name, 'SaleOptOut', 0);
    return [name, read(model)[name] ?? {}];
  }),
);

const twoBits = fc.integer({ min: 0, max: 2 });
const fixed = new Set(['Version', 'MspaVersion', 'GpcSegmentType', 'Gpc']);

interface Written {
  readonly name: string;
  readonly version: number;
  readonly values: Fields;
  /** Null: no such subsection. */
  readonly gpc: boolean | null;
  readonly isSensitiveTold: boolean;
}

function writtenOf({ name, second, versions }: (typeof usSectionKinds)[number]): fc.Arbitrary<Written> {
  const values: Record<string, fc.Arbitrary<Value>> = {};
  for (const [field, example] of Object.entries(libraryFields.get(name) ?? {})) {
    if (fixed.has(field)) continue;
    if (Array.isArray(example)) values[field] = fc.array(twoBits, { minLength: example.length, maxLength: example.length });
    else values[field] = field === 'MspaCoveredTransaction' ? fc.integer({ min: 1, max: 2 }) : twoBits;
  }
  return fc.record({
    name: fc.constant(name),
    version: fc.constantFrom(...Object.keys(versions).map(Number)),
    values: fc.record(values),
    gpc: second === 'gpc' ? fc.option(fc.boolean()) : fc.constant(null),
    isSensitiveTold: second === 'sensitive' ? fc.boolean() : fc.constant(false),
  });
}

const marks = fc.constantFrom('Y', 'N', '-');
const others = fc.record({
  usPrivacy: fc.option(fc.tuple(marks, marks, marks)),
  europe: fc.option(fc.nat(4095)),
  canada: fc.option(fc.nat(4095)),
});
const usSections = fc.subarray([...usSectionKinds], { maxLength: 6 }).chain((kinds) => fc.tuple(...kinds.map(writtenOf)));

function encode(
  written: readonly Written[],
  rest: { usPrivacy?: readonly string[] | null; europe?: number | null; canada?: number | null },
): string {
  const model = new GppModel();
  for (const { name, version, values, gpc, isSensitiveTold } of written) {
    if (name === 'usnat') model.setFieldValue(name, 'Version', version);
    for (const [field, value] of Object.entries(values)) model.setFieldValue(name, field, value);
    const { Gpc, SensitiveDataProcessing } = libraryFields.get(name) ?? {};
    if (Gpc !== undefined) model.setFieldValue(name, 'GpcSegmentIncluded', gpc !== null);
    if (gpc !== null) model.setFieldValue(name, 'Gpc', gpc);
    if (SensitiveDataProcessing !== undefined && isApart(name))
      model.setFieldValue(name, 'SensitiveDataConsentSegmentIncluded', isSensitiveTold);
  }
  const { usPrivacy, europe, canada } = rest;
  for (const [index, field] of ['Notice', 'OptOutSale', 'LspaCovered'].entries())
    if (usPrivacy) model.setFieldValue('uspv1', field, usPrivacy[index]);
  if (typeof europe === 'number') model.setFieldValue('tcfeuv2', 'CmpId', europe);
  if (typeof canada === 'number') model.setFieldValue('tcfcav1', 'CmpId', canada);
  return model.encode();
}

function isApart(name: string): boolean {
  return usSectionKinds.some((kind) => kind.name === name && kind.second === 'sensitive');
}

/** What was written, in the words of our reader. */
function expectedOf({ name, version, values, gpc, isSensitiveTold }: Written): Fields {
  const expected: Record<string, Value> = { Version: version };
  const lengths = name === 'usnat' && version === 1 ? { SensitiveDataProcessing: 12, KnownChildSensitiveDataConsents: 2 } : {};
  for (const [field, value] of Object.entries(values)) {
    if (field === 'SensitiveDataProcessing' && isApart(name) && !isSensitiveTold) continue;
    expected[field] = Array.isArray(value) ? value.slice(0, lengths[field as keyof typeof lengths] ?? value.length) : value;
  }
  if (typeof expected.KnownChildSensitiveDataConsents === 'number')
    expected.KnownChildSensitiveDataConsents = [expected.KnownChildSensitiveDataConsents];
  if (gpc !== null) expected.Gpc = gpc;
  return expected;
}

function read(model: GppModel): Readonly<Record<string, Fields>> {
  return model.toObject() as Readonly<Record<string, Fields>>;
}

/** What the library reads; null: it throws. */
function saidByLibrary(text: string): Readonly<Record<string, Fields>> | null {
  try {
    return read(new GppModel(text));
  } catch {
    return null;
  }
}

/** The library's fields in the words of our reader. It tells a subsection that is not there as one with its defaults, so those are not compared. */
function agrees(said: Extract<GppSaid, { readonly sections: unknown }>, library: Readonly<Record<string, Fields>>): boolean {
  for (const [name, fields] of Object.entries(said.sections)) {
    const theirs = library[name] ?? {};
    for (const [field, value] of Object.entries(fields)) {
      const their = field === 'Version' && theirs.MspaVersion !== undefined ? theirs.MspaVersion : theirs[field];
      const comparable = Array.isArray(value) && typeof their === 'number' ? [their] : their;
      if (JSON.stringify(comparable) !== JSON.stringify(value)) return false;
    }
  }
  return true;
}

describe('a GPP string that the library wrote', () => {
  console.log(`GPP strings of the library: seed ${seed}, replay with FC_SEED=${seed}`);

  it('is read field by field as it was written', { timeout: 0 }, () => {
    fc.assert(
      fc.property(usSections, others, (written, rest) => {
        const text = encode(written, rest);
        if (written.length === 0 && Object.values(rest).every((value) => value === null)) return;
        const said = saidByGpp(text);
        const isContradictory = rest.usPrivacy !== null && rest.usPrivacy[1] === '-' && rest.usPrivacy.join('') !== '---';
        if (isContradictory) {
          expect(said).toEqual({ error: 'value' });
          return;
        }
        const sections: Record<string, Fields> = Object.fromEntries(written.map((section) => [section.name, expectedOf(section)]));
        if (rest.usPrivacy !== null) {
          const [notice, optOut, lspa] = rest.usPrivacy;
          sections.uspv1 = { Version: 1, Notice: notice, OptOutSale: optOut, LspaCovered: lspa };
        }
        if ('error' in said) throw new Error(`refused as ${said.error}: ${text}`);
        expect(said.sections).toEqual(sections);
        const ids = usSectionKinds.filter(({ name }) => written.some((section) => section.name === name)).map(({ id }) => id);
        const otherIds = [rest.europe === null ? [] : [2], rest.canada === null ? [] : [5], rest.usPrivacy === null ? [] : [6]].flat();
        expect(said.sectionIds).toEqual([...otherIds, ...ids]);
      }),
      { numRuns: casesPerProperty, seed },
    );
  });

  it('damaged, is read as the library reads it, or refused for a reason that is known', { timeout: 0 }, () => {
    const damage = fc.record({
      at: fc.nat(200),
      cut: fc.nat(3),
      put: fc.string({ unit: fc.constantFrom(...'AQgBYyn1-_.~'), maxLength: 3 }),
    });
    const usOnly = fc.tuple(usSections, fc.option(fc.tuple(marks, marks, marks)), damage);
    fc.assert(
      fc.property(usOnly, ([written, usPrivacy, { at, cut, put }]) => {
        if (written.length === 0 && usPrivacy === null) return;
        const whole = encode(written, { usPrivacy });
        const start = at % (whole.length + 1);
        const text = whole.slice(0, start) + put + whole.slice(start + cut);
        const said = saidByGpp(text);
        const library = saidByLibrary(text);
        if ('error' in said) {
          if (library === null) return;
          if (explained[said.error as ConsentError] === undefined) throw new Error(`refused as ${said.error} without a reason: ${text}`);
        } else if (library === null || !agrees(said, library)) throw new Error(`read otherwise than the library: ${text}`);
      }),
      { numRuns: casesPerProperty, seed },
    );
  });

  it.each(Object.entries(explained))('is refused as `%s` though the library reads it', (error, { example }) => {
    expect(saidByLibrary(example)).not.toBeNull();
    expect(saidByGpp(example)).toEqual({ error });
  });

  it('would be found to differ by one value', () => {
    const said = saidByGpp('DBABLA~CVVVkkkkkpFY.YA');
    const theirs = saidByLibrary('DBABLA~CVVVkkkkkpFY.YA');
    if ('error' in said || theirs === null) throw new Error('unreadable');
    expect(agrees(said, theirs)).toBe(true);
    for (const wrong of [{ SaleOptOut: 2 }, { SensitiveDataProcessing: [0] }, { Gpc: false }])
      expect(agrees(said, { usnat: { ...theirs.usnat, ...wrong } })).toBe(false);
  });
});
