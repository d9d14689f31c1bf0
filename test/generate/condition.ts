/** Conditions that type-check by construction, over what a tier's rung may read. */
import fc from 'fast-check';
import type { Condition } from '../oracle/document.ts';
import { attributesOf, baseNowMs, edgeAudiences, integers, offsets, profileAudiences, type Source, texts } from './vocabulary.ts';

type Made = fc.Arbitrary<Condition>;

const text: Made = fc.constantFrom(...texts).map((value) => ({ is: 'string', value }));
const literalInteger: Made = fc.constantFrom(...integers).map((value) => ({ is: 'int', value }));

/** A condition that some rung of that reach may have. `profile` reach also names audiences that only a profile can name. */
export function conditionReading(reach: Source): Made {
  const made = reached.get(reach);
  if (made === undefined) throw new Error('every reach is made once');
  return made;
}

function makeReach(reach: Source): Made {
  const sources: readonly Source[] =
    reach === 'request' ? ['request'] : reach === 'session' ? ['request', 'session'] : ['request', 'session', 'profile'];
  // A rung mostly reads what it was made for.
  const favoured = (type: 'string' | 'int' | 'bool' | 'timestamp' | 'strings') => {
    const all = attributesOf(sources, type);
    const own = all.filter(({ source }) => source === reach);
    return fc.constantFrom(...all, ...own, ...own);
  };
  const attribute = (type: 'string' | 'int' | 'bool' | 'timestamp' | 'strings'): Made =>
    favoured(type).map(({ source, name }) => ({ is: 'attribute', source, name }));
  const freeText: Made = fc
    .constantFrom(...attributesOf(sources, 'string').filter(({ values }) => values === null))
    .map(({ source, name }) => ({ is: 'attribute', source, name }));
  const audienceNames = reach === 'profile' ? [...edgeAudiences, ...profileAudiences, ...profileAudiences] : [...edgeAudiences];

  const equality: Made = favoured('string').chain(({ source, name, values }) =>
    fc
      .record({ is: fc.constantFrom('==' as const, '==' as const, '!=' as const), value: fc.constantFrom(...(values ?? texts)) })
      .map(({ is, value }): Condition => ({ is, left: { is: 'attribute', source, name }, right: { is: 'string', value } })),
  );
  const oneOf: Made = favoured('string').chain(({ source, name, values }) =>
    fc
      .uniqueArray(fc.constantFrom(...(values ?? texts)), { minLength: 1, maxLength: 3 })
      .map((value): Condition => ({ is: 'in', left: { is: 'attribute', source, name }, right: { is: 'strings', value } })),
  );
  const presence: Made = fc
    .constantFrom(
      ...attributesOf(sources, 'string'),
      ...attributesOf(sources, 'int'),
      ...attributesOf(sources, 'bool'),
      ...attributesOf(sources, 'strings'),
    )
    .map(({ source, name }) => ({ is: 'has', source, name }));
  const audience: Made = fc
    .constantFrom(...audienceNames)
    .map((value) => ({ is: 'in', left: { is: 'string', value }, right: { is: 'audiences' } }));
  const list: Made = fc.oneof(
    { weight: 4, arbitrary: attribute('strings') },
    { weight: 1, arbitrary: fc.constant<Condition>({ is: 'audiences' }) },
  );

  const { condition } = fc.letrec<{ integer: Condition; condition: Condition; item: Condition }>((tie) => ({
    integer: fc.oneof(
      { maxDepth: 3, depthIdentifier: `integer-${reach}` },
      { weight: 3, arbitrary: attribute('int') },
      { weight: 3, arbitrary: literalInteger },
      { weight: 1, arbitrary: fc.oneof(freeText, list).map((of): Condition => ({ is: 'size', of })) },
      {
        weight: 2,
        arbitrary: fc
          .record({
            is: fc.constantFrom('+' as const, '-' as const, '*' as const, '/' as const, '%' as const),
            left: tie('integer'),
            right: tie('integer'),
          })
          .map((part): Condition => part),
      },
      { weight: 1, arbitrary: tie('integer').map((of): Condition => ({ is: 'negate', of })) },
    ),
    /** Inside a list macro: `item` is one text of the list. */
    item: fc.oneof(
      { maxDepth: 2, depthIdentifier: `item-${reach}` },
      {
        weight: 3,
        arbitrary: fc
          .record({ is: fc.constantFrom('==' as const, '!=' as const, 'startsWith' as const), right: fc.oneof(text, freeText) })
          .map(({ is, right }): Condition => ({ is, left: { is: 'variable', name: 'item' }, right })),
      },
      { weight: 1, arbitrary: list.map((right): Condition => ({ is: 'in', left: { is: 'variable', name: 'item' }, right })) },
      {
        weight: 1,
        arbitrary: fc
          .record({ is: fc.constantFrom('&&' as const, '||' as const), left: tie('item'), right: tie('condition') })
          .map((part): Condition => part),
      },
    ),
    condition: fc.oneof(
      { maxDepth: 3, depthIdentifier: `condition-${reach}` },
      { weight: 6, arbitrary: equality },
      { weight: 3, arbitrary: attribute('bool') },
      { weight: 5, arbitrary: audience },
      { weight: 2, arbitrary: oneOf },
      { weight: 2, arbitrary: presence },
      {
        weight: 4,
        arbitrary: fc
          .record({
            is: fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const, '==' as const, '!=' as const),
            left: attribute('int'),
            right: tie('integer'),
          })
          .map((part): Condition => part),
      },
      {
        weight: 1,
        arbitrary: fc
          .record({
            is: fc.constantFrom('startsWith' as const, 'endsWith' as const, 'contains' as const),
            left: freeText,
            right: fc.oneof(text, freeText),
          })
          .map((part): Condition => part),
      },
      { weight: 2, arbitrary: timely(attribute('timestamp')) },
      {
        weight: 1,
        arbitrary: fc.record({ left: fc.oneof(text, freeText), right: list }).map((part): Condition => ({ is: 'in', ...part })),
      },
      {
        weight: 2,
        arbitrary: fc
          .record({ is: fc.constantFrom('exists' as const, 'all' as const), list, condition: tie('item') })
          .map((part): Condition => ({ ...part, variable: 'item' })),
      },
      {
        weight: 4,
        arbitrary: fc
          .record({ is: fc.constantFrom('&&' as const, '||' as const), left: tie('condition'), right: tie('condition') })
          .map((part): Condition => part),
      },
      { weight: 3, arbitrary: tie('condition').map((of): Condition => ({ is: 'not', of })) },
      {
        weight: 1,
        arbitrary: fc
          .record({ condition: tie('condition'), yes: tie('condition'), no: tie('condition') })
          .map((part): Condition => ({ is: '?:', ...part })),
      },
    ),
  }));
  return condition;
}

/** Comparisons of instants and of spans of time. */
function timely(attribute: Made): Made {
  const order = fc.constantFrom('<' as const, '<=' as const, '>' as const, '>=' as const);
  const literal: Made = fc.constantFrom(...offsets).map((seconds) => ({ is: 'timestamp', ms: baseNowMs + seconds * 1000 }));
  const span: Made = fc.constantFrom(...offsets).map((seconds) => ({ is: 'duration', seconds: Math.abs(seconds) }));
  const now: Condition = { is: 'now' };
  return fc.oneof(
    fc.record({ is: order, left: attribute, right: fc.oneof(literal, fc.constant(now)) }).map((part): Condition => part),
    fc.record({ is: order, right: literal }).map((part): Condition => ({ ...part, left: now })),
    fc
      .record({ is: order, left: attribute, span })
      .map(({ is, left, span: right }): Condition => ({ is, left, right: { is: '-', left: now, right } })),
    fc
      .record({ is: order, right: attribute, span })
      .map(({ is, right, span: width }): Condition => ({ is, left: { is: '-', left: now, right }, right: width })),
  );
}

const reached: ReadonlyMap<Source, Made> = new Map((['request', 'session', 'profile'] as const).map((reach) => [reach, makeReach(reach)]));
