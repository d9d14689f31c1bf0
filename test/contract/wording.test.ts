/** Problems of a body say in plain words what stands there and what to write instead, whatever keyword of the schemas was broken. */
import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/contract/problem.ts';
import * as schemas from '../../src/contract/schemas.ts';
import { jsonSchemaOf, validatorOf } from '../../src/contract/validate.ts';
import { unknownMember, wordedKeywords } from '../../src/contract/wording.ts';

const { decideRequest, profileSchema, consentSchema, identitySchema } = schemas;
type ZodSchema = typeof decideRequest;

function placesOf(schema: unknown, body: unknown): readonly string[] {
  try {
    validatorOf(schema as ZodSchema)(body);
  } catch (error) {
    if (error instanceof ProblemError) return error.errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
    throw error;
  }
  return [];
}

/** They describe, or only lead to other schemas. */
const silentKeywords = ['description', 'examples', 'format', 'properties', 'items'];
const branches = ['anyOf', 'oneOf', 'allOf', 'prefixItems'];
const leads = ['items', 'additionalProperties', 'propertyNames', 'not', 'contains'];

function keywordsOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const below =
      keyword === 'properties' ? Object.values(value) : branches.includes(keyword) ? value : leads.includes(keyword) ? [value] : [];
    return [keyword, ...below.flatMap(keywordsOf)];
  });
}

function unworded(all: readonly unknown[]): readonly string[] {
  const used = new Set(all.flatMap((schema) => keywordsOf(schema)));
  return [...used].filter((keyword) => !wordedKeywords.includes(keyword) && !silentKeywords.includes(keyword));
}

describe('every keyword that the wire’s schemas use', () => {
  const all = Object.values(schemas).filter((value): value is ZodSchema => typeof value === 'object' && '_zod' in value);

  it('has a sentence of its own', () => {
    expect(all.length).toBeGreaterThan(10);
    expect(unworded(all.map(jsonSchemaOf))).toEqual([]);
  });

  it('is seen wherever it stands: a planted one is found', () => {
    const planted = { type: 'object', properties: { a: { anyOf: [{ type: 'array', items: { type: 'string', pattern: '^a' } }] } } };
    expect(unworded([planted])).toEqual(['pattern']);
  });
});

it.each<[string, unknown, unknown, readonly string[]]>([
  ['an empty list', decideRequest, { zones: [] }, ['/zones this list is empty: write a list of 1 to 32 zones']],
  [
    'a list too long',
    profileSchema,
    { audiences: Array(257).fill('a') },
    ['/audiences this list is too long: write a list of at most 256 audiences'],
  ],
  [
    'an empty text',
    identitySchema,
    { subject: '', method: 'deterministic' },
    ['/subject this text is empty: write text of 1 to 256 characters'],
  ],
  ['a text too long', decideRequest, { page: 'x'.repeat(65) }, ['/page this text is too long: write text of at most 64 characters']],
  [
    'a number too small',
    profileSchema,
    { ttlSeconds: 0 },
    ['/ttlSeconds this number is too small: write a whole number from 1 to 34560000'],
  ],
  [
    'a number too large',
    profileSchema,
    { ttlSeconds: 1e9 },
    ['/ttlSeconds this number is too large: write a whole number from 1 to 34560000'],
  ],
  ['a fraction', decideRequest, { deadlineMs: 1.5 }, ['/deadlineMs this is a number with a fraction: write a whole number, 0 or more']],
  ['text for a switch', decideRequest, { explain: 'false' }, ['/explain this is text: write true or false']],
  ['null', decideRequest, { page: null }, ['/page this is null: write text of at most 64 characters']],
  ['nothing at all', consentSchema, undefined, [' this is nothing: write an object { "useCases", "recordedAt", "noticeVersion" }']],
  [
    'a word that is not known',
    decideRequest,
    { consent: { useCases: { offers: 'yes' } } },
    ['/consent/useCases/offers this is none of the words known here: write one of granted, denied, unavailable'],
  ],
  [
    'what is missing',
    consentSchema,
    { useCases: {} },
    ['/recordedAt this is missing: write an RFC 3339 timestamp, such as 2026-11-21T12:00:00Z'],
  ],
  [
    'a slip of the hand',
    identitySchema,
    { subject: 'a', methd: 'deterministic', method: 'deterministic' },
    ['/methd remove `methd`: known members are subject, method, confidencePpm; did you mean `method`?'],
  ],
  [
    'zones of two wrong forms',
    decideRequest,
    { zones: ['', 7, { id: 'hero', budgetMs: '9' }, { name: 'hero' }] },
    [
      '/zones/0 this is text that does not fit: write a zone id, or an object { "id", "budgetMs" }',
      '/zones/1 this is a number that does not fit: write a zone id, or an object { "id", "budgetMs" }',
      '/zones/2/budgetMs this is text: write a whole number, 0 or more',
      '/zones/3/id this is missing: write text of 1 to 64 characters',
      '/zones/3/name remove `name`: known members are id, budgetMs',
    ],
  ],
  [
    'an attribute that is an object',
    decideRequest,
    { context: { country: {} } },
    [
      '/context/country this is an object that does not fit: write text, a whole number, true or false, or a list of texts, as the policy declares',
    ],
  ],
])('says of %s what it is and what to write', (_, schema, body, places) => {
  expect(placesOf(schema, body)).toEqual(places);
});

it('tells no name that may be a value, and not every name of a long list', () => {
  expect(unknownMember('ada@example.org', ['page'])).toBe('remove `…`: known members are page');
  const many = Array.from({ length: 1_000 }, (_, index) => `name${index}`);
  expect(unknownMember('name', many).length).toBeLessThan(600);
});
