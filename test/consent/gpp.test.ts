/** GPP strings: what each field comes to, what a damaged section may not hide, and that no text whatever costs much or throws. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { BitReader } from '../../src/consent/bits.ts';
import { gppCharactersMax, gppSignals, readGpp } from '../../src/consent/gpp.ts';
import { gppSectionsMax } from '../../src/consent/gpp-header.ts';
import { type UsField, type UsListField, type UsSectionKind, usSectionKinds } from '../../src/consent/gpp-us-sections.ts';
import { consentErrors, isConsentError, regimes } from '../../src/consent/signal.ts';
import { gpcUseCases, useCases } from '../../src/decision/vocabulary.ts';
import { bitsOf, fibonacci, gppOf, headerOf, textOf, type UsValues, usSectionText } from './encode-gpp.ts';
import { statesOf } from './states-of.ts';
import { vectorsOf } from './us-corpus.ts';
import { saidByGpp, signalsOfGpp } from './us-vectors.ts';

const optOuts = ['SaleOptOut', 'SharingOptOut', 'TargetedAdvertisingOptOut'] as const satisfies readonly UsField[];
const consents = ['PersonalDataConsents', 'AdditionalDataProcessingConsent'] as const satisfies readonly UsField[];
const firstNotices = ['SharingNotice', 'ProcessingNotice'] as const satisfies readonly UsField[];
const unsold = useCases.filter((useCase) => !(gpcUseCases as readonly string[]).includes(useCase));

interface Versioned {
  readonly name: string;
  readonly kind: UsSectionKind;
  readonly version: number;
}

const sections: readonly Versioned[] = usSectionKinds.flatMap((kind) =>
  Object.keys(kind.versions).map((version) => ({ name: `${kind.name} ${version}`, kind, version: Number(version) })),
);

/** Every opt-out offered with a notice, and none taken. */
const notOptedOut: UsValues['fields'] = {
  SharingNotice: 1,
  ProcessingNotice: 1,
  SaleOptOutNotice: 1,
  SharingOptOutNotice: 1,
  TargetedAdvertisingOptOutNotice: 1,
  SaleOptOut: 2,
  SharingOptOut: 2,
  TargetedAdvertisingOptOut: 2,
};

function fieldsOf({ kind, version }: Versioned): readonly UsField[] {
  return (kind.versions[version] ?? []).filter((field) => typeof field === 'string');
}

function listOf({ kind, version }: Versioned, name: UsListField) {
  return kind.versions[version]?.find((field) => field[0] === name);
}

function statesBy({ kind, version }: Versioned, values: UsValues, regime: (typeof regimes)[number] = 'us_opt_out') {
  return statesOf(signalsOfGpp(gppOf([[kind.id, usSectionText(kind, { ...values, version })]]), regime));
}

function expectSold(states: Readonly<Record<string, string>>, state: string): void {
  expect(Object.fromEntries(gpcUseCases.map((useCase) => [useCase, states[useCase]]))).toEqual(
    Object.fromEntries(gpcUseCases.map((useCase) => [useCase, state])),
  );
}

describe.each(sections)('a US section: $name', (section) => {
  it('grants under the opt-out rules what was offered with a notice and not opted out of', () => {
    const states = statesBy(section, { fields: notOptedOut });
    for (const useCase of useCases) expect(states[useCase]).toBe('granted');
  });

  it('grants nothing under any other rules', () => {
    const states = statesBy(section, { fields: notOptedOut }, 'opt_in');
    for (const useCase of useCases) expect(states[useCase]).toBe('unavailable');
  });

  it('denies sale and what follows from it everywhere, whichever opt-out was taken', () => {
    for (const optOut of optOuts.filter((field) => fieldsOf(section).includes(field))) {
      for (const regime of regimes) expectSold(statesBy(section, { fields: { ...notOptedOut, [optOut]: 1 } }, regime), 'denied');
    }
  });

  it('takes "not applicable" for no proof', () => {
    for (const optOut of optOuts.filter((field) => fieldsOf(section).includes(field))) {
      const states = statesBy(section, { fields: { ...notOptedOut, [optOut]: 0 } });
      expectSold(states, 'unavailable');
      for (const useCase of unsold) expect(states[useCase]).toBe('granted');
    }
  });

  it('takes an opt-out that was not offered, or not told of, for no proof', () => {
    const notices = optOuts.filter((field) => fieldsOf(section).includes(field)).map((field) => `${field}Notice` as UsField);
    for (const notice of notices)
      for (const value of [0, 2]) expectSold(statesBy(section, { fields: { ...notOptedOut, [notice]: value } }), 'unavailable');
    for (const notice of firstNotices.filter((field) => fieldsOf(section).includes(field)))
      expectSold(statesBy(section, { fields: { ...notOptedOut, [notice]: 2 } }), 'unavailable');
  });

  it('denies a second use of data where consent to it is refused', () => {
    for (const consent of consents.filter((field) => fieldsOf(section).includes(field))) {
      for (const regime of regimes)
        expect(statesBy(section, { fields: { ...notOptedOut, [consent]: 1 } }, regime).content_personalization).toBe('denied');
      for (const value of [0, 2])
        expect(statesBy(section, { fields: { ...notOptedOut, [consent]: value } }).content_personalization).toBe('granted');
    }
  });

  it('refuses special categories where the use of any kind of sensitive data is, wherever the visitor is', () => {
    const kinds = section.kind.second === 'sensitive' ? 8 : Number(listOf(section, 'SensitiveDataProcessing')?.[1] ?? 0);
    const signalsWith = (values: readonly number[], regime: (typeof regimes)[number]) => {
      const told = section.kind.second === 'sensitive' ? { sensitiveApart: values } : { lists: { SensitiveDataProcessing: values } };
      return signalsOfGpp(
        gppOf([[section.kind.id, usSectionText(section.kind, { ...told, version: section.version, fields: notOptedOut })]]),
        regime,
      );
    };
    for (let index = 0; index < kinds; index += 1) {
      const only = (value: number) => Array.from({ length: kinds }, (_, at) => (at === index ? value : 0));
      for (const regime of regimes) expect(signalsWith(only(1), regime)).toMatchObject([{ state: 'valid', refusesSensitive: true }]);
      expect(signalsWith(only(2), 'us_opt_out')[0]).not.toHaveProperty('refusesSensitive');
    }
  });

  it('denies everything of a known child, whatever was consented to', () => {
    const list = listOf(section, 'KnownChildSensitiveDataConsents');
    if (list === undefined) return;
    const groups = Number(list[1]);
    for (let index = 0; index < groups; index += 1) {
      for (const value of [1, 2]) {
        const group = Array.from({ length: groups }, (_, at) => (at === index ? value : 0));
        const values = { version: section.version, fields: notOptedOut, lists: { KnownChildSensitiveDataConsents: group } };
        const signals = signalsOfGpp(gppOf([[section.kind.id, usSectionText(section.kind, values)]]), 'opt_in');
        expect(signals).toMatchObject([{ state: 'valid', child: true }]);
        for (const state of Object.values(statesOf(signals))) expect(state).toBe('denied');
      }
    }
  });

  it('knows Global Privacy Control on, off and not told from each other', () => {
    const read = (values: UsValues) => {
      const gpp = readGpp(
        gppOf([[section.kind.id, usSectionText(section.kind, { ...values, version: section.version, fields: notOptedOut })]]),
      );
      return isConsentError(gpp) ? gpp : gpp.sections[0];
    };
    expect(read({})).toMatchObject({ kind: 'us', said: { gpc: null } });
    if (section.kind.second !== 'gpc') {
      if (section.kind.second === 'none') expect(read({ gpc: true })).toMatchObject({ kind: 'unreadable', error: 'segments' });
      return;
    }
    expect(read({ gpc: false })).toMatchObject({ kind: 'us', said: { gpc: false } });
    expect(read({ gpc: true })).toMatchObject({ kind: 'us', said: { gpc: true } });
    for (const regime of regimes) expectSold(statesBy(section, { fields: notOptedOut, gpc: true }, regime), 'denied');
    expectSold(statesBy(section, { fields: notOptedOut, gpc: false }), 'granted');
  });

  it('is unreadable with a value of 3 in any field', () => {
    const { kind, version } = section;
    for (const field of kind.versions[version] ?? []) {
      const values =
        typeof field === 'string' ? { fields: { [field]: 3 } } : { lists: { [field[0]]: Array.from({ length: field[1] }, () => 3) } };
      const gpp = readGpp(gppOf([[kind.id, usSectionText(kind, { ...values, version })]]));
      expect(gpp).toMatchObject({ sections: [{ kind: 'unreadable', error: 'value' }] });
    }
    if (kind.second === 'sensitive') {
      const gpp = readGpp(gppOf([[kind.id, usSectionText(kind, { version, sensitiveApart: [0, 0, 0, 0, 0, 0, 0, 3] })]]));
      expect(gpp).toMatchObject({ sections: [{ kind: 'unreadable', error: 'value' }] });
    }
  });

  it('is unreadable with any version but those we know', () => {
    for (let version = 0; version < 64; version += 1) {
      if (Object.hasOwn(section.kind.versions, version)) continue;
      const text = textOf(bitsOf(version, 6) + '0'.repeat(120));
      expect(readGpp(gppOf([[section.kind.id, text]]))).toMatchObject({ sections: [{ kind: 'unreadable', error: 'version' }] });
    }
  });

  it('is unreadable one character short or two too long', () => {
    const { kind, version } = section;
    const text = usSectionText(kind, { version });
    expect(readGpp(gppOf([[kind.id, text.slice(0, -1)]]))).toMatchObject({ sections: [{ kind: 'unreadable', error: 'truncated' }] });
    expect(readGpp(gppOf([[kind.id, `${text}AA`]]))).toMatchObject({ sections: [{ kind: 'unreadable', error: 'trailing_bits' }] });
    expect(readGpp(gppOf([[kind.id, `${text}B`]]))).toMatchObject({ sections: [{ kind: 'unreadable', error: 'trailing_bits' }] });
  });
});

describe('several sections', () => {
  const nothingSold = usSectionText(usSectionKinds[1] as UsSectionKind, { fields: notOptedOut });
  const soldToNobody = usSectionText(usSectionKinds[2] as UsSectionKind, { fields: { ...notOptedOut, SaleOptOut: 1 } });

  it('keep a denial beside a section that cannot be read, and no grant', () => {
    const states = statesOf(
      signalsOfGpp(
        gppOf([
          [8, nothingSold],
          [9, soldToNobody],
          [10, '////'],
        ]),
        'us_opt_out',
      ),
    );
    expectSold(states, 'denied');
    for (const useCase of unsold) expect(states[useCase]).toBe('unavailable');
  });

  it('deny what one of them denies', () => {
    const states = statesOf(
      signalsOfGpp(
        gppOf([
          [8, nothingSold],
          [9, soldToNobody],
        ]),
        'us_opt_out',
      ),
    );
    expectSold(states, 'denied');
    for (const useCase of unsold) expect(states[useCase]).toBe('granted');
  });

  it('of which one is unknown leave nothing granted', () => {
    for (const id of [1, 3, 4, 28, 99, 4000]) {
      const states = statesOf(
        signalsOfGpp(
          gppOf([
            [8, nothingSold],
            [id, 'BAAA'],
          ]),
          'us_opt_out',
        ),
      );
      for (const useCase of useCases) expect(states[useCase]).toBe('unavailable');
    }
  });

  it('hand a TC string on unread, and say nothing of their own for it', () => {
    const gpp = readGpp(
      gppOf([
        [2, 'any.text.at-all'],
        [6, '1---'],
      ]),
    );
    expect(gpp).toMatchObject({ tcf: 'any.text.at-all' });
    if (isConsentError(gpp)) throw new Error(gpp);
    expect(gppSignals(gpp, 'us_opt_out')).toEqual([{ signal: null, outcome: 'valid' }]);
    expect(readGpp(gppOf([[2, '']]))).toMatchObject({ tcf: null, sections: [{ kind: 'unreadable' }] });
  });

  it('say nothing for Canada, unless that section is not one', () => {
    const canada = textOf(bitsOf(1, 6) + '0'.repeat(193));
    const disclosed = textOf(`001${'0'.repeat(20)}`);
    expect(signalsOfGpp(gppOf([[5, canada]]), 'opt_in')).toEqual([]);
    expect(signalsOfGpp(gppOf([[5, `${canada}.${disclosed}`]]), 'opt_in')).toEqual([]);
    for (const wrong of [
      '',
      canada.slice(0, -1),
      `C${canada.slice(1)}`,
      `${canada}.${disclosed}.${disclosed}`,
      `${canada}.A`,
      `${canada}.=`,
      `=${canada}`,
    ])
      expect(signalsOfGpp(gppOf([[5, wrong]]), 'opt_in')).toEqual([{ state: 'invalid' }]);
  });
});

describe('a header', () => {
  it('may name its sections one by one or as a group', () => {
    const group = `${textOf(`${bitsOf(3, 6)}${bitsOf(1, 6)}${bitsOf(1, 12)}1${fibonacci(8)}${fibonacci(2)}`)}`;
    const gpp = readGpp(`${group}~a~b~c`);
    expect(isConsentError(gpp) ? gpp : gpp.sections.map(({ id }) => id)).toEqual([8, 9, 10]);
  });

  it('reads every number that a code word can hold within its bounds', () => {
    for (let id = 1; id <= 5000; id += 1) {
      const gpp = readGpp(gppOf([[id, '']]));
      expect(isConsentError(gpp) ? gpp : gpp.sections.map((section) => section.id)).toEqual([id]);
    }
  });

  it(`names at most ${gppSectionsMax} sections, also as a group that would be endless`, () => {
    const ids = Array.from({ length: gppSectionsMax + 1 }, (_, index) => index + 1);
    const texts = ids.map(() => 'x').join('~');
    expect(readGpp(`${headerOf(ids)}~${texts}`)).toBe('section_count');
    expect(isConsentError(readGpp(`${headerOf(ids.slice(1))}~${texts.slice(2)}`))).toBe(false);
    const group = textOf(`${bitsOf(3, 6)}${bitsOf(1, 6)}${bitsOf(1, 12)}1${fibonacci(1)}${fibonacci(gppSectionsMax)}`);
    expect(readGpp(`${group}~${texts}`)).toBe('section_count');
    const endless = textOf(`${bitsOf(3, 6)}${bitsOf(1, 6)}${bitsOf(1, 12)}1${fibonacci(1)}${fibonacci(40_000)}`);
    expect(readGpp(`${endless}~x`)).toBe('section_count');
  });

  it('is of one type and one version', () => {
    const of = (type: number, version: number) => readGpp(`${textOf(`${bitsOf(type, 6)}${bitsOf(version, 6)}${bitsOf(0, 12)}`)}`);
    expect(of(3, 1)).toEqual({ sections: [], tcf: null });
    for (let other = 0; other < 64; other += 1) {
      if (other !== 3) expect(of(other, 1)).toBe('version');
      if (other !== 1) expect(of(3, other)).toBe('version');
    }
  });

  it('with a code word that does not end is none', () => {
    expect(readGpp(`${textOf(`${bitsOf(3, 6)}${bitsOf(1, 6)}${bitsOf(1, 12)}0${'10'.repeat(40)}`)}~x`)).toBe('range');
  });
});

describe('any text at all', () => {
  const valid = vectorsOf('gpp').map(({ input }) => input);
  const characters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~~~...=/ \n\0é'];
  const noise = fc.string({ unit: fc.constantFrom(...characters), maxLength: 200 });
  const mutated = fc.tuple(fc.constantFrom(...valid), fc.nat(300), fc.nat(10), noise).map(([text, at, cut, put]) => {
    const start = at % (text.length + 1);
    return text.slice(0, start) + put.slice(0, cut) + text.slice(start + cut);
  });

  it('is read without throwing, to a reading or one of the closed list of errors, the same each time', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          noise,
          noise.map((text) => `DBABTA~${text}`),
          fc.string({ unit: 'binary', maxLength: 300 }),
        ),
        (text) => {
          const read = readGpp(text);
          if (isConsentError(read)) expect(consentErrors).toContain(read);
          else for (const section of read.sections) if (section.kind === 'unreadable') expect(consentErrors).toContain(section.error);
          expect(readGpp(text)).toEqual(read);
          for (const regime of regimes) expect(signalsOfGpp(text, regime)).toEqual(signalsOfGpp(text, regime));
        },
      ),
      { numRuns: 5000 },
    );
  });

  it('grants no more with its end cut off than whole, but for a subsection, which nothing announces', () => {
    const whole = valid.filter((text) => 'sections' in saidByGpp(text) && !text.includes('.'));
    fc.assert(
      fc.property(fc.constantFrom(...whole), fc.nat(300), (text, at) => {
        const damaged = statesOf(signalsOfGpp(text.slice(0, at % text.length), 'us_opt_out'));
        const whole = statesOf(signalsOfGpp(text, 'us_opt_out'));
        for (const useCase of useCases) if (damaged[useCase] === 'granted') expect(whole[useCase]).toBe('granted');
      }),
    );
  });

  it('is not looked at beyond its bound', () => {
    expect(readGpp('D'.repeat(gppCharactersMax + 1))).toBe('too_long');
    expect(readGpp('D'.repeat(gppCharactersMax))).toBe('version');
  });

  const worst: readonly { readonly what: string; readonly text: string }[] = [
    { what: 'zeros', text: 'A'.repeat(gppCharactersMax) },
    { what: 'ones', text: `DB${'_'.repeat(gppCharactersMax - 2)}` },
    { what: 'a header of code words', text: `DBA_${'zM'.repeat(4000)}` },
    { what: 'separators', text: `DBA_${'~'.repeat(8000)}` },
    { what: 'dots', text: `DBABLA~${'.'.repeat(8000)}` },
    { what: 'a section of zeros', text: `DBABLA~B${'A'.repeat(8000)}` },
    { what: 'all sections, each long', text: gppOf(Array.from({ length: 27 }, (_, index) => [index + 1, `B${'A'.repeat(290)}`] as const)) },
  ];
  it.each(worst)('costs at most one read of bits for each character: $what', ({ text }) => {
    const read = vi.spyOn(BitReader.prototype, 'read');
    try {
      readGpp(text);
      expect(read.mock.calls.length).toBeLessThanOrEqual(text.length + 200);
    } finally {
      read.mockRestore();
    }
  });
});
