/** US Privacy strings, all of them, and what is none. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { regimes } from '../../src/consent/signal.ts';
import { readUsPrivacy, usPrivacySignal } from '../../src/consent/us-privacy.ts';
import { gpcUseCases, useCases } from '../../src/decision/vocabulary.ts';
import { statesOf } from './states-of.ts';

const marks = ['Y', 'N', '-'] as const;
const strings = marks.flatMap((notice) =>
  marks.flatMap((optOut) => marks.map((lspa) => ({ notice, optOut, lspa, text: `1${notice}${optOut}${lspa}` }))),
);

describe('a US Privacy string', () => {
  it.each(strings)('$text is what its four marks say, or a contradiction', ({ notice, optOut, lspa, text }) => {
    const isContradiction = optOut === '-' && text !== '1---';
    expect(readUsPrivacy(text)).toEqual(isContradiction ? 'value' : { notice, optOutSale: optOut, lspaCovered: lspa });
    for (const regime of regimes) {
      const { signal, outcome } = usPrivacySignal(text, regime);
      expect(outcome).toBe(isContradiction ? 'malformed' : 'valid');
      const states = statesOf(signal === null ? [] : [signal]);
      for (const useCase of useCases) {
        const isSale = (gpcUseCases as readonly string[]).includes(useCase);
        const counts = regime === 'us_opt_out' && optOut !== '-' && (!isSale || (notice === 'Y' && optOut === 'N'));
        expect(states[useCase]).toBe(isSale && optOut === 'Y' ? 'denied' : counts ? 'granted' : 'unavailable');
      }
    }
  });

  it.each([
    ['', 'truncated'],
    ['1YN', 'truncated'],
    ['1YNNN', 'too_long'],
    ['1---\n', 'too_long'],
    ['2YNN', 'version'],
    ['-YNN', 'version'],
    ['1ynn', 'value'],
    ['1YN ', 'value'],
  ])('is not %j: %s', (text, error) => {
    expect(readUsPrivacy(text)).toBe(error);
    for (const regime of regimes) expect(usPrivacySignal(text, regime)).toEqual({ signal: { state: 'invalid' }, outcome: 'malformed' });
  });

  it('is nothing else', () => {
    const known = new Set(strings.map(({ text }) => text));
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 6 }), fc.string({ unit: fc.constantFrom(...'1YNyn- 2'), maxLength: 5 })), (text) => {
        if (!known.has(text)) expect(typeof readUsPrivacy(text)).toBe('string');
      }),
      { numRuns: 2000 },
    );
  });
});
