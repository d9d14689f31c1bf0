/** From an answer to a fact: everything fits, or nothing is believed. */
import { describe, expect, it } from 'vitest';
import { audienceReader, identityReader, profileReader, propensityReader } from '../../src/sources/mapped.ts';
import { artefactWith, mapOf } from './scene.ts';

const artefact = artefactWith({});
const misfit = { code: 'misfit' };

const reading = <T>(read: (response: unknown) => T, response: unknown) => {
  try {
    return read(response);
  } catch (error) {
    return { code: (error as { code?: unknown }).code };
  }
};

describe('a profile', () => {
  const attributes = Object.fromEntries(['name', 'loyalty', 'days', 'vip', 'since', 'tags'].map((name) => [name, `response.${name}`]));
  const read = profileReader(mapOf({ attributes }), artefact);
  const attributesOf = (response: unknown) => {
    const profile = reading(read, response);
    return 'attributes' in profile ? { ...profile.attributes } : profile;
  };

  it('holds each declared type as the core wants it', () => {
    const response = {
      name: 'x',
      loyalty: 'gold',
      days: 3,
      vip: false,
      since: '2026-11-21T12:00:00+01:00',
      tags: ['b', 'a', 'b'],
      more: {},
    };
    expect(attributesOf(response)).toEqual({ ...response, since: Date.UTC(2026, 10, 21, 11), more: undefined });
  });

  it('leaves out what the answer does not have', () => {
    expect(attributesOf({ loyalty: 'gold' })).toEqual({ loyalty: 'gold' });
    expect(attributesOf({})).toEqual({});
  });

  it.each([
    ['a number for text', { name: 3 }],
    ['null', { name: null }],
    ['text outside the declared values', { loyalty: 'platinum' }],
    ['text for a number', { days: '3' }],
    ['a fraction', { days: 3.5 }],
    ['a number beyond what is safe', { days: 2 ** 53 }],
    ['infinity', { days: Number.POSITIVE_INFINITY }],
    ['a number for true', { vip: 1 }],
    ['no time', { since: 'yesterday' }],
    ['a day alone', { since: '2026-11-21' }],
    ['text for a list', { tags: 'a' }],
    ['a list with something else in it', { tags: ['a', 1] }],
    ['a list with an undeclared value', { tags: ['a', 'c'] }],
    ['a map for a list', { tags: { 0: 'a', length: 1 } }],
  ])('is not believed at all because of %s', (_what, wrong) => {
    expect(attributesOf({ loyalty: 'gold', ...wrong })).toEqual(misfit);
  });

  it.each(['text', 3, true, null])('is not read from %j, which has no members', (response) => {
    expect(attributesOf(response)).toEqual(misfit);
  });

  it('has no member that the answer did not name, whatever its keys are called', () => {
    const response: unknown = JSON.parse('{"__proto__":{"name":"x","loyalty":"gold"},"constructor":{"prototype":{"vip":true}}}');
    expect(attributesOf(response)).toEqual({});
    expect(({} as Record<string, unknown>).loyalty).toBe(undefined);
    const inherited = profileReader(mapOf({ attributes: { name: 'response.toString' } }), artefact);
    expect(reading(inherited, {})).toEqual({ attributes: {}, audiences: [] });
  });

  it('has audiences where the policy maps them, and is not believed where they are missing: that would say that nobody is in any', () => {
    const withAudiences = profileReader(mapOf({ attributes: { name: 'response.name' }, audiences: 'response.groups' }), artefact);
    expect(reading(withAudiences, { name: 'x', groups: ['lapsed', 'vip'] })).toMatchObject({ audiences: ['lapsed'] });
    expect(reading(withAudiences, { name: 'x' })).toEqual(misfit);
  });
});

describe('an answer that many mappings read', () => {
  const texts = Array.from({ length: 130 }, (_, index) => `t${index}`);
  const quadratic = 'response.texts.map(a, response.texts.map(b, 1)).size()';
  const readBy = (attributes: Record<string, string>, audiences: string | null = null) =>
    reading(profileReader(mapOf({ attributes, audiences }), artefact), { texts });

  it('is a misfit where they together cost too much, though none of them does alone', () => {
    expect(readBy({ days: quadratic })).toMatchObject({ attributes: { days: 130 } });
    expect(readBy({ since: quadratic })).toMatchObject({ attributes: { since: 130 } });
    expect(readBy({ days: quadratic, since: quadratic, name: `string(${quadratic})` })).toEqual(misfit);
    expect(readBy({ days: quadratic, since: quadratic }, `[string(${quadratic})]`)).toEqual(misfit);
  });
});

describe('audiences', () => {
  const read = audienceReader(mapOf({ audiences: 'response.members.map(m, m.name)' }), artefact);

  it('are those that the policy declares, each once', () => {
    const members = ['lapsed', 'other', 'newsletter', 'lapsed', '__proto__', 'constructor'].map((name) => ({ name }));
    expect(reading(read, { members })).toEqual(['lapsed', 'newsletter']);
    expect(reading(read, { members: [] })).toEqual([]);
  });

  it.each([{}, { members: null }, { members: 'lapsed' }, { members: [{ name: 1 }] }, { members: [{}] }, { members: ['lapsed'] }, []])(
    'are not believed in %j',
    (response) => expect(reading(read, response)).toEqual(misfit),
  );
});

describe('propensities', () => {
  const read = propensityReader(mapOf({ propensityPpm: 'response.scores' }), artefact);

  it('are those of offers that the policy has', () => {
    const scores: unknown = JSON.parse('{"rail":120000,"other":0,"gone":-7,"__proto__":{"rail":5},"constructor":"x"}');
    expect({ ...reading(read, { scores }) }).toEqual({ rail: 120_000, other: 0 });
    expect({ ...reading(read, { scores: {} }) }).toEqual({});
  });

  it.each([-1, 1_000_001, 0.5, '120000', null, true, [1]])('are not believed at all because of %j', (wrong) =>
    expect(reading(read, { scores: { other: 5, rail: wrong } })).toEqual(misfit),
  );

  it.each([{}, { scores: null }, { scores: [1] }, { scores: 'x' }, null])('are not read from %j', (response) =>
    expect(reading(read, response)).toEqual(misfit),
  );
});

describe('a device link', () => {
  const map = mapOf({ subject: 'response.person', method: 'response.method', confidencePpm: 'response.confidence' });
  const read = identityReader(map);

  it('is what the answer says, and at its weakest where the answer says nothing', () => {
    const link = { subject: 'anna', method: 'deterministic', confidencePpm: 900_000 };
    expect(reading(read, { person: 'anna', method: 'deterministic', confidence: 900_000 })).toEqual(link);
    expect(reading(read, { person: 'anna' })).toEqual({ subject: 'anna', method: 'probabilistic', confidencePpm: 0 });
    expect(reading(identityReader(mapOf({ subject: 'response' })), 'anna')).toEqual({
      subject: 'anna',
      method: 'probabilistic',
      confidencePpm: 0,
    });
  });

  it('names a person by as many characters as a record of theirs may have', () => {
    const person = 'a'.repeat(256);
    expect(reading(read, { person })).toMatchObject({ subject: person });
  });

  it.each([
    ...['', ' ', 'null', 'undefined', 'anonymous', '0', '00000000-0000-0000-0000-000000000000', 7, null, ['anna']].map((person) => ({
      person,
    })),
    { person: 'a'.repeat(257) },
    { person: 'anna\ud800' },
    {},
    { person: 'anna', method: 'certain' },
    { person: 'anna', method: null },
    { person: 'anna', confidence: 1_000_001 },
    { person: 'anna', confidence: '1' },
  ])('is not believed in %j', (response) => expect(reading(read, response)).toEqual(misfit));
});
