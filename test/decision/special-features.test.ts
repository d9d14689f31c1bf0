/** What may only be asked with an opt-in of its own is, without it, as if it had not been given. */
import { expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import type { Question } from '../../src/decision/question.ts';
import { nobodyOptedIn, withoutSpecialFeatures } from '../../src/decision/special-features.ts';

const request = { city: { specialFeature: 1 }, screen: { specialFeature: 2 }, country: {} };
const artefact = { attributes: { request } } as unknown as Artefact;
const question: Question = {
  nowMs: 0,
  audience: 'personal',
  page: 'home',
  zones: ['hero'],
  shownOffers: [],
  request: { city: 'Graz', screen: 'wide', country: 'AT', unheard: 'of' },
  audiences: null,
  explain: false,
};

test.each([
  { optedIn: nobodyOptedIn, left: { country: 'AT', unheard: 'of' } },
  { optedIn: [1], left: { city: 'Graz', country: 'AT', unheard: 'of' } },
  { optedIn: [2], left: { screen: 'wide', country: 'AT', unheard: 'of' } },
  { optedIn: [3], left: { country: 'AT', unheard: 'of' } },
])('with an opt-in to $optedIn what is left of a request is $left', ({ optedIn, left }) => {
  const open = withoutSpecialFeatures(artefact, question, optedIn);
  expect({ ...open, request: { ...open.request } }).toEqual({ ...question, request: left });
  expect(Object.getPrototypeOf(open.request)).toBe(null);
});

test('a question of which nothing is closed stays the one it is', () => {
  expect(withoutSpecialFeatures(artefact, question, [1, 2])).toBe(question);
  const plain = { ...question, request: { country: 'AT' } };
  expect(withoutSpecialFeatures(artefact, plain, nobodyOptedIn)).toBe(plain);
});
