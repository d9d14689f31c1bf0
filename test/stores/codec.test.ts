/** Records survive encoding whole, and decoding is total: whatever is stored, it answers with a record or with null. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IdentityLink, StoredConsent } from '../../src/decision/facts.ts';
import type { Value } from '../../src/decision/value.ts';
import { consentStates, personalUseCases } from '../../src/decision/vocabulary.ts';
import {
  decodeConsent,
  decodeConsentRecord,
  decodeGeneration,
  decodeIdentity,
  decodeProfile,
  decodeSession,
  encodeConsent,
  encodeIdentity,
  encodeProfile,
  encodeSession,
  headerLength,
  versionedLength,
  versionLength,
  versionOf,
} from '../../src/records/codec.ts';
import { consentSources, noticeVersionCharsMax } from '../../src/records/consent-record.ts';
import { type KeyNames, keyNames } from '../../src/records/keys.ts';
import { recordCharsMax, valueDepthMax } from '../../src/records/limits.ts';
import { lastEndMs, livingProfile } from '../../src/records/retention.ts';
import { StoreError } from '../../src/records/store-error.ts';
import { keySecret, names } from '../support/key-names.ts';

const anyString = fc.string({
  unit: fc.oneof(fc.string({ unit: 'binary', maxLength: 1 }), fc.constantFrom('\ud800', '\udfff', '"', '|', '\0')),
});
const wholeNumber = fc.maxSafeInteger().filter((value) => !Object.is(value, -0));
const value: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: valueDepthMax - 1 },
    anyString,
    wholeNumber,
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 4 }),
  ),
})).value;
const attributes = fc.dictionary(fc.oneof(anyString, fc.constantFrom('__proto__', 'constructor', 'toString', '0')), value, { maxKeys: 8 });
const consent: fc.Arbitrary<StoredConsent> = fc.record({
  useCases: fc
    .uniqueArray(
      fc.tuple(
        fc.oneof(
          fc.constantFrom(...personalUseCases),
          anyString.map((name) => `category:${name}` as const),
        ),
        fc.constantFrom(...consentStates),
      ),
      {
        selector: ([useCase]) => useCase,
      },
    )
    .map((entries) => Object.fromEntries(entries) as StoredConsent['useCases']),
  recordedAtMs: wholeNumber,
});
const link = fc.record({
  subject: anyString,
  method: fc.constantFrom('deterministic' as const, 'probabilistic' as const),
  confidencePpm: fc.nat(1_000_000),
});

const tag = names.subject('anna');
const version = 'v'.repeat(versionLength);
const identityIn = (of: string, text: string): IdentityLink | null => decodeIdentity(of, text, names);
const decoders = [decodeProfile, decodeSession, decodeConsent, identityIn] as const;

/** Every decoder's answer to the text; throws when one of them does. */
function decoded(text: string): readonly unknown[] {
  return [...decoders.map((decode) => decode(tag, text)), decodeGeneration(text)];
}

describe('records', () => {
  it('come back from encoding as they went in', () => {
    fc.assert(
      fc.property(attributes, fc.array(anyString), consent, link, (stored, audiences, record, identity) => {
        expect(decodeProfile(tag, encodeProfile(tag, { attributes: stored, audiences }))).toEqual({ attributes: stored, audiences });
        expect(decodeSession(tag, encodeSession(tag, { attributes: stored }))).toEqual({ attributes: stored });
        expect(decodeConsent(tag, encodeConsent(tag, record))).toEqual(record);
        expect(identityIn(tag, encodeIdentity(tag, identity, names))).toEqual(identity);
      }),
    );
  });

  it('of consent come back with who wrote them, how often and when', () => {
    const count = fc.maxSafeNat();
    const provenance = fc.record(
      {
        grantedAtMs: wholeNumber,
        generation: count,
        withdrawnGeneration: count,
        source: fc.constantFrom(...consentSources),
        noticeVersion: fc.string({ maxLength: noticeVersionCharsMax }),
      },
      { requiredKeys: ['generation', 'withdrawnGeneration', 'source'] },
    );
    fc.assert(
      fc.property(consent, provenance, (said, of) => {
        const record = { ...said, ...of };
        const { grantedAtMs = said.recordedAtMs, ...rest } = record;
        const expected = grantedAtMs === said.recordedAtMs ? rest : record;
        expect(decodeConsentRecord(tag, encodeConsent(tag, record))).toEqual(expected);
        const isOlder = grantedAtMs !== said.recordedAtMs;
        expect(decodeConsent(tag, encodeConsent(tag, record))).toEqual(isOlder ? { ...said, grantedAtMs } : said);
      }),
    );
  });

  it('of consent whose provenance is none are not written', () => {
    const record = { useCases: {}, recordedAtMs: 1 };
    for (const wrong of [
      { generation: -1 },
      { generation: 0.5 },
      { withdrawnGeneration: Number.NaN },
      { grantedAtMs: 0.5 },
      { noticeVersion: 'x'.repeat(noticeVersionCharsMax + 1) },
    ])
      expect(() => encodeConsent(tag, { ...record, ...wrong })).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('carry another version each time, and no version that is none', () => {
    const profile = { attributes: { a: 1 }, audiences: [] };
    const texts = Array.from({ length: 100 }, () => encodeProfile(tag, profile));
    expect(new Set(texts.map(versionOf)).size).toBe(texts.length);
    const [text = ''] = texts;
    expect(versionOf(text)).toMatch(/^[\w-]{12}$/);
    for (const wrong of ['=', ' ', '\u00e4'])
      expect(decodeProfile(tag, text.replace(versionOf(text), wrong.repeat(versionLength)))).toBeNull();
  });

  it('survive the way through UTF-8', () => {
    fc.assert(
      fc.property(attributes, (stored) => {
        const text = encodeSession(tag, { attributes: stored });
        expect(Buffer.from(text).toString()).toBe(text);
      }),
    );
  });

  it('of profiles carry when each thing ends, and nothing that is no instant passes for one', () => {
    const ends = { attributes: { a: 5 }, audiences: { b: 6 } };
    const record = { attributes: { a: 1, c: 2 }, audiences: ['b'], ends };
    const text = encodeProfile(tag, record);
    expect(decodeProfile(tag, text)).toEqual(record);
    for (const wrong of ['"5"', '5.5', 'null', '[5]', '{}'])
      expect(decodeProfile(tag, text.replace('{"a":5}', `{"a":${wrong}}`))).toBeNull();
    expect(decodeProfile(tag, text.replace('[{"a":5},{"b":6}]', '[{"a":5}]'))).toBeNull();
    expect(() => encodeProfile(tag, { ...record, ends: { ...ends, attributes: { a: 5.5 } } })).toThrow(StoreError);
    expect(livingProfile(record, 4)).toEqual({ attributes: record.attributes, audiences: ['b'] });
    expect(livingProfile(record, 5)).toEqual({ attributes: { c: 2 }, audiences: ['b'] });
    expect(livingProfile(record, 6)).toEqual({ attributes: { c: 2 }, audiences: [] });
    expect(lastEndMs(record)).toBeNull();
    expect(lastEndMs({ ...record, attributes: { a: 1 } })).toBe(6);
  });

  it('are nobody else\u2019s', () => {
    const other = names.subject('bob');
    expect(decodeProfile(other, encodeProfile(tag, { attributes: {}, audiences: [] }))).toBeNull();
    expect(decodeSession(other, encodeSession(tag, { attributes: {} }))).toBeNull();
    expect(decodeConsent(other, encodeConsent(tag, { useCases: {}, recordedAtMs: 0 }))).toBeNull();
    expect(identityIn(other, encodeIdentity(tag, { subject: 'x', method: 'deterministic', confidencePpm: 0 }, names))).toBeNull();
  });

  it('carry consent where the Redis script looks for it', () => {
    const text = encodeConsent(tag, {
      useCases: { content_personalization: 'granted', analytics_offer: 'denied', offers: 'unavailable' },
      recordedAtMs: 12,
    });
    expect(text.slice(headerLength)).toBe('gu...d|12|12|1|0|a|');
  });

  it.each([
    ['|12|12|', '|012|12|'],
    ['|12|12|', '|12|-0|'],
    ['|12|12|', '|12|9007199254740993|'],
    ['|1|0|', '|01|0|'],
    ['|1|0|', '|1|00|'],
  ])('are not what nobody wrote: %s as %s', (written, wrong) => {
    const text = encodeConsent(tag, { useCases: {}, recordedAtMs: 12 });
    expect(decodeConsentRecord(tag, text)).toMatchObject({ recordedAtMs: 12, generation: 1 });
    expect(text).toContain(written);
    expect(decodeConsentRecord(tag, text.replace(written, wrong))).toBeNull();
  });
});

describe('decoding', () => {
  it('answers null to arbitrary text and to arbitrary JSON, under any header', () => {
    const headers = fc.constantFrom(
      '',
      ...['p', 's', 'c', 'i'].flatMap((kind) =>
        ['', version, tag, version + tag].flatMap((more) => [`${kind}1${tag}${more}`, `${kind}2${tag}${more}`]),
      ),
    );
    fc.assert(
      fc.property(
        headers,
        fc.oneof(
          anyString,
          fc.json(),
          fc.json().map((json) => `[${json}]`),
        ),
        (header, body) => {
          for (const record of decoded(header + body))
            expect(record === null || typeof record === 'object' || typeof record === 'number').toBe(true);
        },
      ),
    );
  });

  it('answers null to any record that lost or gained a character', () => {
    const texts = [
      encodeProfile(tag, { attributes: { a: 1 }, audiences: ['b'] }),
      encodeSession(tag, { attributes: { a: [true] } }),
      encodeIdentity(tag, { subject: 'anna', method: 'probabilistic', confidencePpm: 5 }, names),
      encodeConsent(tag, { useCases: { offers: 'granted', 'category:health': 'granted' }, recordedAtMs: 5 }),
    ];
    for (const text of texts) {
      expect(decoded(text).filter((record) => record !== null)).toHaveLength(1);
      for (let at = 0; at < (text.startsWith('c') ? headerLength : versionedLength); at += 1)
        expect(decoded(text.slice(0, at) + text.slice(at + 1)).every((record) => record === null)).toBe(true);
      expect(decoded(text.slice(0, -1)).every((record) => record === null)).toBe(true);
      expect(decoded(`${text}]`).every((record) => record === null)).toBe(true);
    }
  });

  it('gives up at its bounds instead of working on', () => {
    const deep = (levels: number): string => `s2${tag}${version}[{"a":${'['.repeat(levels)}${']'.repeat(levels)}}]`;
    expect(decodeSession(tag, deep(valueDepthMax))).not.toBeNull();
    expect(decodeSession(tag, deep(valueDepthMax + 1))).toBeNull();
    expect(decodeSession(tag, deep(30_000))).toBeNull();
    expect(decodeSession(tag, `s2${tag}${version}[{"a":"${'x'.repeat(recordCharsMax)}"}]`)).toBeNull();
    expect(decodeGeneration('9007199254740993')).toBeNull();
  });
});

describe('names', () => {
  it('differ for different ids, and say nothing of them', () => {
    fc.assert(
      fc.property(anyString, anyString, (one, two) => {
        expect(names.subject(one) === names.subject(two)).toBe(one === two);
        expect(names.subject(one)).toMatch(/^[\w-]{22}$/);
      }),
    );
    expect(names.identity('ab', 'c')).not.toBe(names.identity('a', 'bc'));
    expect(names.identity('a', ':b')).not.toBe(names.identity('a:', 'b'));
  });

  it('cannot be worked out by who does not know the secret, nor be brought together by what they stand for', () => {
    const stranger = keyNames(`${keySecret}.`);
    const ofAnna = ({ subject, session, token, identity }: KeyNames) => [
      subject('anna'),
      session('anna'),
      token('anna'),
      identity('device', 'anna'),
      identity('', 'anna'),
    ];
    expect(ofAnna(keyNames(keySecret))).toEqual(ofAnna(names));
    expect(new Set([...ofAnna(names), ...ofAnna(stranger)]).size).toBe(10);
    const plain = createHash('sha256').update(Buffer.from('anna', 'utf16le')).digest('base64url').slice(0, 22);
    expect(ofAnna(names)).not.toContain(plain);
  });
});
