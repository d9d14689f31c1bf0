/** How far an answer may be kept, and by what key: whatever could have changed it is in the key, and nothing else is. */
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { CacheAnswer } from '../../src/decision/decision.ts';
import { noEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, plainQuestion } from './asked.ts';

const nowMs = askedAtMs;
const firstOfDecember = Date.UTC(2026, 11, 1);
const christmas = Date.UTC(2026, 11, 24);

const text = `
stepwell: 1
policy: caching
owner: tests
contextualWithoutSignal: true
attributes:
  request:
    country: { type: string, class: S0 }
    device: { type: string, class: S0 }
    topics: { type: strings, class: S0 }
    visits: { type: int, class: S0 }
    since: { type: timestamp, class: S0 }
    campaign: { type: string, class: S1 }
  profile: { loyalty: { type: string, class: S1 } }
audiences: { newsletter: { class: S0, edge: true }, sale: { class: S0, edge: true } }
pages: { home: { zones: [rail, chosen] } }
zones:
  plain: { kind: content, ladder: [ LAST ] }
  kept: { kind: content, cache: { maxAgeSeconds: 5 }, ladder: [ LAST ] }
  fixed: { kind: content, ladder: [ { tier: segment, variant: there }, LAST ] }
  brief: { kind: content, cache: { maxAgeSeconds: 7 }, ladder: [ { tier: segment, variant: there }, LAST ] }
  above: { kind: content, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold" && request.country == "DE"', variant: there } ] }, LAST ] }
  labelled: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'request.campaign == "x" && request.country == "DE"', variant: there } ] }, LAST ] }
  chosen: { kind: content, ladder: [ { tier: segment, choose: [
    { when: 'request.campaign == "x"', variant: other },
    { when: 'request.visits > 3 && request.device == "mobile"', variant: there },
    { when: 'request.device == "tablet" && request.country == "DE"', variant: there } ] }, LAST ] }
  topical: { kind: content, ladder: [ { tier: segment, choose: [ { when: '"a" in request.topics', variant: there } ] }, LAST ] }
  member: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'request.country == "DE"', variant: other }, { when: '"newsletter" in audiences', variant: there } ] }, LAST ] }
  timed: { kind: content, ladder: [ { tier: segment, choose: [
    { when: 'request.country == "DE"', variant: other },
    { when: 'now >= timestamp("2026-12-01T00:00:00Z") && now < timestamp("2026-12-24T00:00:00Z")', variant: there } ] }, LAST ] }
  drifting: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'now < timestamp("2026-12-01T00:00:00Z")', variant: other }, { when: 'now > request.since', variant: there } ] }, LAST ] }
  ticking: { kind: content, ladder: [ { tier: segment, choose: [ { when: 'now - now < duration("1h") && request.since < now', variant: there } ] }, LAST ] }
  rail: { kind: offer, ladder: [ { tier: user, arbitrate: { tag: personal } }, { tier: segment, arbitrate: { tag: rail } }, LAST ] }
  strip: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: strip } }, LAST ] }
  closed: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: closed } }, LAST ] }
  seasonal: { kind: offer, ladder: [ { tier: segment, arbitrate: { tag: seasonal } }, LAST ] }
variants: { plain: { content: plain }, there: { content: there }, other: { content: other } }
offers:
  shoes: { tags: [rail], class: S0, when: 'request.device == "mobile"', variant: there, propensityPpm: 1000, value: 10 }
  boots: { tags: [rail], class: S0, from: 2026-12-01T00:00:00Z, variant: other, propensityPpm: 2000, value: 10, when: 'request.country == "DE"' }
  gifts: { tags: [rail], class: S0, until: 2026-12-24T00:00:00Z, variant: there, propensityPpm: 900, value: 10 }
  scarf: { tags: [strip], class: S0, variant: there, propensityPpm: 1000, value: 10, context: [ { when: '"sale" in audiences', perMille: 1200 } ] }
  secret: { tags: [closed], class: S1, from: 2026-12-01T00:00:00Z, variant: there, propensityPpm: 1000, value: 10 }
  advent: { tags: [seasonal], class: S0, from: 2026-12-01T00:00:00Z, until: 2026-12-24T00:00:00Z, variant: there, propensityPpm: 1000, value: 10 }
  one: { tags: [personal], class: S1, variant: there, propensityPpm: 1000, value: 10 }
`.replaceAll('LAST', '{ tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }');

function compiled(source: string): Artefact {
  const { artefact, problems } = compilePolicy(source, { file: 'caching.yaml', nowMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const artefact = compiled(text);
const start = `caching@${artefact.revision.slice(0, 16)}`;

const shared: Question = { ...plainQuestion, audience: 'shared' };

function answer(id: string, asked: Partial<Question> = {}, by = artefact): CacheAnswer & { readonly variant: string | null } {
  const question = { ...shared, zones: [id], ...asked };
  const zone = decide(by, question, noEvidence).zones[question.zones.indexOf(id)];
  if (zone === undefined) throw new Error('no zone was decided');
  return { ...zone.cache, variant: zone.variant };
}

/** What stands behind the policy and its revision. */
const keyOf = (id: string, asked: Partial<Question> = {}) => answer(id, asked).key?.replace(start, '');

describe('an answer', () => {
  const none = { scope: 'none', maxAgeSeconds: 0, key: null, tags: [], degraded: false } as const;
  const tags = (id: string) => ['stepwell', 'policy-caching', `zone-${id}`];
  const ofPublic = (id: string) =>
    ({ scope: 'public', maxAgeSeconds: 60, key: `${start}/${id}`, tags: tags(id), degraded: false }) as const;
  const personal: Partial<Question> = { audience: 'personal' };
  const cases: readonly (readonly [says: string, id: string, asked: Partial<Question>, expected: CacheAnswer])[] = [
    ['that is the same for everybody is public', 'plain', {}, ofPublic('plain')],
    ['whoever asks', 'plain', personal, ofPublic('plain')],
    ['is kept as long as its zone says', 'kept', {}, { ...ofPublic('kept'), maxAgeSeconds: 5 }],
    ['by the request is of a segment', 'fixed', {}, { ...ofPublic('fixed'), scope: 'segment', maxAgeSeconds: 30 }],
    ['by the request too is kept as its zone says', 'brief', {}, { ...ofPublic('brief'), scope: 'segment', maxAgeSeconds: 7 }],
    ['with nothing but personal rungs is public when nobody is looked at', 'above', { request: { country: 'DE' } }, ofPublic('above')],
    ['whose rules are of a class that nobody is shown is public', 'labelled', { request: { campaign: 'x' } }, ofPublic('labelled')],
    ['of such offers too, whatever their windows', 'closed', { nowMs: christmas, request: { country: 'DE' } }, ofPublic('closed')],
    ['that is explained is kept nowhere', 'plain', { explain: true }, none],
    ['to a person is their own', 'fixed', { ...personal }, { ...none, scope: 'private' }],
    ['to a person that is explained is kept nowhere', 'fixed', { ...personal, explain: true }, none],
  ];
  test.each(cases)('%s', (_says, id, asked, expected) => {
    const { variant: _variant, ...cache } = answer(id, asked);
    expect(cache).toStrictEqual(expected);
  });

  test('to a person whose consent has not been heard is kept nowhere, because a better one may come', () => {
    const closed = { ...artefact, contextualWithoutSignal: false };
    const { variant: _variant, ...cache } = answer('fixed', personal, closed);
    expect(cache).toStrictEqual({ ...none, degraded: true });
    expect(answer('fixed', {}, closed)).toMatchObject({ scope: 'public', degraded: false, variant: 'plain' });
  });

  test('that could not be had in time is kept nowhere', () => {
    const evidence = { ...noEvidence, profile: { state: 'late' } as const };
    const capped = compiled(text.replace('pages:', 'dependencies: { profile: { onFailure: anonymous } }\npages:'));
    const [zone] = decide(capped, { ...shared, ...personal, zones: ['fixed'] }, evidence).zones;
    expect(zone).toMatchObject({ tier: 'anonymous', cache: { ...none, degraded: true } });
  });
});

describe('a key', () => {
  const cases: readonly (readonly [says: string, key: string, id: string, asked?: Partial<Question>])[] = [
    ['names the zone', '/plain', 'plain'],
    ['has no more where no rule reads anything', '/fixed', 'fixed', { request: { country: 'DE' }, audiences: ['newsletter'] }],
    [
      'has what the rules read, by name',
      '/chosen?country=DE&device=mobile&visits=4',
      'chosen',
      { request: { visits: 4, device: 'mobile', country: 'DE' } },
    ],
    ['has each once, and only what was given', '/chosen?device=mobile', 'chosen', { request: { device: 'mobile' } }],
    ['leaves out what only a rule reads that nobody is shown', '/chosen', 'chosen', { request: { campaign: 'x' } }],
    ['leaves out audiences that no rule reads', '/chosen', 'chosen', { audiences: ['newsletter'] }],
    ['has lists item by item', '/topical?topics=a,b,', 'topical', { request: { topics: ['a', 'b'] } }],
    ['has empty lists', '/topical?topics=', 'topical', { request: { topics: [] } }],
    [
      'has audiences in one order',
      '/member?country=FR&@audiences=newsletter,sale,',
      'member',
      { request: { country: 'FR' }, audiences: ['sale', 'newsletter'] },
    ],
    ['has audiences that are none', '/member?@audiences=', 'member', { audiences: [] }],
    ['has no audiences where none were given', '/member', 'member'],
    ['counts the instants that have passed', '/timed?@now=0', 'timed'],
    ['counts one that has just passed', '/timed?@now=1', 'timed', { nowMs: firstOfDecember }],
    ['counts those after it', '/timed?@now=3', 'timed', { nowMs: christmas }],
    ['counts all of them', '/timed?country=DE&@now=4', 'timed', { nowMs: christmas + 1, request: { country: 'DE' } }],
    ['counts the instants that follow from what the question says', '/drifting?since=5&@now=2', 'drifting', { request: { since: 5 } }],
    ['counts none of what the question does not say', '/drifting?@now=0', 'drifting'],
    ['has the time itself where its instants cannot be told', `/ticking?since=5&@at=${nowMs}`, 'ticking', { request: { since: 5 } }],
    ['counts what opens and closes', '/seasonal?@page=&@zones=seasonal,&@shown=&@window=0', 'seasonal'],
    ['counts what has just opened', '/seasonal?@page=&@zones=seasonal,&@shown=&@window=1', 'seasonal', { nowMs: firstOfDecember }],
    ['counts what has just closed', '/seasonal?@page=&@zones=seasonal,&@shown=&@window=2', 'seasonal', { nowMs: christmas }],
    ['writes out what it uses as a mark', '/chosen?device=a%0026b%003dc%002cd%002f%0025', 'chosen', { request: { device: 'a&b=c,d/%' } }],
    ['and all that is not plain', '/chosen?device=%d83d%de00%00e4-_.~Z9', 'chosen', { request: { device: '😀ä-_.~Z9' } }],
    ['and half a character', '/chosen?device=%d83d', 'chosen', { request: { device: '\ud83d' } }],
    [
      'is of the whole question where offers compete: its page, its zones in order and what is shown',
      '/rail?@page=home&@zones=rail,chosen,strip,&@shown=a,b,&device=mobile&@audiences=sale,&@window=0',
      'rail',
      {
        page: 'home',
        zones: ['rail', 'chosen', 'strip'],
        shownOffers: ['b', 'a'],
        request: { device: 'mobile', country: 'DE' },
        audiences: ['sale'],
      },
    ],
    [
      'is the same part for each of its zones that compete',
      '/strip?@page=home&@zones=rail,chosen,strip,&@shown=&@audiences=sale,&@window=0',
      'strip',
      { page: 'home', zones: ['rail', 'chosen', 'strip'], audiences: ['sale'] },
    ],
    [
      'and has nothing of them where its own zone does not compete',
      '/chosen?country=DE',
      'chosen',
      { page: 'home', zones: ['rail', 'chosen', 'strip'], request: { country: 'DE' }, audiences: ['sale'] },
    ],
    ['stands beside a zone that nobody knows', '/strip?@page=&@zones=strip,nowhere,&@shown=', 'strip', { zones: ['strip', 'nowhere'] }],
  ];
  test.each(cases.map(([says, key, id, asked]) => ({ says, key, id, asked })))('$says', ({ key, id, asked }) => {
    expect(keyOf(id, asked)).toBe(key);
  });

  test('leaves what was asked as it was', () => {
    const asked = { zones: ['rail', 'member'], shownOffers: ['b', 'a'], audiences: ['sale', 'newsletter'] };
    answer('rail', asked);
    expect(asked).toEqual({ zones: ['rail', 'member'], shownOffers: ['b', 'a'], audiences: ['sale', 'newsletter'] });
  });

  test('of one question says nothing of the next', () => {
    const one = { nowMs: firstOfDecember, request: { device: 'mobile', country: 'DE' } };
    expect(keyOf('rail', one)).not.toBe(keyOf('rail', { ...one, request: { device: 'mobile' } }));
    expect(keyOf('rail', one)).toBe(keyOf('rail', { ...one, request: { ...one.request } }));
  });

  test('is of the question alone, whatever a caller would break ties by', () => {
    const tied = compiled(
      text.replace(
        'propensityPpm: 1000, value: 10, context',
        'propensityPpm: 1000, value: 10 }\n  hat: { tags: [strip], class: S0, variant: other, propensityPpm: 1000, value: 10 }\n  glove: { tags: [rail], class: S0, variant: there, propensityPpm: 1, value: 1, context',
      ),
    );
    const answers = Array.from({ length: 20 }, (_, index) => answer('strip', { tieBreak: `caller-${index}` }, tied));
    const byKey = Map.groupBy(answers, ({ key }) => key);
    for (const [key, alike] of byKey) expect(new Set(alike.map(({ variant }) => variant)).size, String(key)).toBe(1);
  });

  test('is of one revision only', () => {
    const changed = compiled(text.replace('content: there', 'content: elsewhere'));
    expect(answer('fixed', {}, changed).key).toBe(`caching@${changed.revision.slice(0, 16)}/fixed`);
    expect(changed.revision).not.toBe(artefact.revision);
  });
});

describe('two questions', () => {
  const mobile = { request: { device: 'mobile' } };
  const onPage = { page: 'home', zones: ['rail', 'strip'] };
  /** With different answers, or answers that might be. */
  const apart: readonly (readonly [says: string, id: string, one: Partial<Question>, other: Partial<Question>])[] = [
    ['on either side of an opening', 'seasonal', { nowMs: firstOfDecember - 1 }, { nowMs: firstOfDecember }],
    ['on either side of a closing', 'seasonal', { nowMs: christmas - 1 }, { nowMs: christmas }],
    ['on either side of an instant that a rule names', 'timed', { nowMs: firstOfDecember - 1 }, { nowMs: firstOfDecember }],
    [
      'on either side of the instant at which a rule weighs the time against the request',
      'drifting',
      { nowMs: christmas, request: { since: christmas } },
      { nowMs: christmas + 1, request: { since: christmas } },
    ],
    ['at one time, where a rule weighs it against another instant', 'drifting', { request: { since: 5 } }, { request: { since: 6 } }],
    ['at two times, where nobody can tell when a rule changes', 'ticking', { nowMs }, { nowMs: nowMs + 1 }],
    ['with what another zone reads, where they compete', 'rail', { ...onPage, audiences: ['sale'] }, { ...onPage, audiences: [] }],
    ['for two pages, where zones compete', 'rail', { ...mobile, page: 'home' }, { ...mobile, page: null }],
    ['with other zones beside, where they compete', 'rail', mobile, { ...mobile, zones: ['rail', 'strip'] }],
    ['with zones in another order, where they compete', 'rail', { zones: ['strip', 'rail'] }, { zones: ['rail', 'strip'] }],
    ['with other offers shown, where zones compete', 'rail', { ...mobile, shownOffers: ['shoes'] }, mobile],
    ['with audiences and without, where a rule reads them', 'member', { audiences: [] }, { audiences: null }],
    ['with audiences that a factor reads', 'strip', { audiences: ['sale'] }, { audiences: ['newsletter'] }],
  ];
  test.each(apart)('%s never share a key', (_says, id, one, other) => {
    expect(keyOf(id, one)).not.toBe(keyOf(id, other));
  });

  const together: readonly (readonly [says: string, id: string, one: Partial<Question>, other: Partial<Question>])[] = [
    ['between one opening and the next', 'seasonal', { nowMs: firstOfDecember }, { nowMs: christmas - 1 }],
    ['between two instants that rules name', 'timed', { nowMs: firstOfDecember + 1 }, { nowMs: christmas - 1 }],
    ['with audiences in another order', 'member', { audiences: ['sale', 'newsletter'] }, { audiences: ['newsletter', 'sale'] }],
    ['with offers shown in another order', 'rail', { shownOffers: ['b', 'a'] }, { shownOffers: ['a', 'b'] }],
    ['with another attribute that no rule reads', 'topical', { request: { country: 'DE' } }, { request: { country: 'FR' } }],
    ['for two pages, where nothing competes', 'chosen', { page: 'home' }, { page: null }],
    [
      'at two times, where a rule weighs the time against the request, until it changes',
      'drifting',
      { nowMs: christmas + 1, request: { since: christmas } },
      { nowMs: christmas + 86_400_000, request: { since: christmas } },
    ],
    ['at two times, where the question lacks what a rule weighs the time against', 'drifting', { nowMs }, { nowMs: nowMs + 1 }],
    [
      'where offers compete, whatever a zone beside them reads that has none',
      'rail',
      { zones: ['rail', 'ticking'], request: { since: 5 } },
      { zones: ['rail', 'ticking'], nowMs: nowMs + 1 },
    ],
    ['at two times, where no rule reads the time', 'chosen', { nowMs }, { nowMs: christmas }],
    ['at two times, where nothing opens or closes between them', 'rail', { nowMs: christmas }, { nowMs: christmas + 1 }],
  ];
  test.each(together)('%s share one', (_says, id, one, other) => {
    expect(keyOf(id, one)).toBe(keyOf(id, other));
    expect(answer(id, one).variant).toBe(answer(id, other).variant);
  });
});
