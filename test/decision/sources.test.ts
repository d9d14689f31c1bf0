/** What a decision makes of audiences and models that have sources of their own. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { Evidence, Fact } from '../../src/decision/facts.ts';
import { needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { tierHeight } from '../../src/decision/vocabulary.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { askedAtMs, consentToAll, identityOf, plainQuestion } from './asked.ts';

const policy = `
stepwell: 1
policy: sources
attributes:
  profile: { loyalty: { type: string, class: S1 } }
audiences: { lapsed: { class: S1 }, newsletter: { class: S1, edge: true } }
contextualWithoutSignal: true
dependencies:
  audience: { source: http, url: 'https://aud.example/{subject}', map: { audiences: response.names } }
  model: { source: http, class: S1, method: POST, url: 'https://rec.example/', map: { propensityPpm: response.scores } }
zones:
  hero: { kind: content, ladder: [ { tier: user, choose: [ { when: '"lapsed" in audiences', variant: there }, { when: '!("newsletter" in audiences)', variant: gone } ] }, LAST ] }
  edge: { kind: content, ladder: [ { tier: user, choose: [ { when: '!("newsletter" in audiences)', variant: there } ] }, LAST ] }
  rail: { kind: offer, late: fallback, ladder: [ { tier: user, arbitrate: { tag: rail } }, LAST ] }
  all: { kind: content, ladder: [ { tier: user, choose: [ { when: 'profile.loyalty == "gold" && "lapsed" in audiences', variant: there } ] }, LAST ] }
variants: { there: { content: there }, gone: { content: gone }, fallback: { content: fallback } }
offers:
  sure: { tags: [rail], class: S1, variant: there, propensityPpm: 500000, value: 10 }
  modelled: { tags: [rail], class: S1, variant: there, propensity: model, propensityPpm: 400000, value: 10 }
  silent: { tags: [rail], class: S1, variant: there, propensity: model, value: 10 }
`.replaceAll('LAST', '{ tier: anonymous, variant: fallback, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }');

function artefactOf(text: string): Artefact {
  const { artefact, problems } = compilePolicy(text, { file: 'p.yaml', nowMs: askedAtMs });
  if (artefact === null) throw new Error(JSON.stringify(problems));
  return artefact;
}

const artefact = artefactOf(policy);

const question = plainQuestion;

const proved: Evidence = {
  identity: identityOf('person-1'),
  consent: consentToAll,
  profile: { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] } },
  session: { state: 'refused' },
  audience: { state: 'known', value: ['lapsed'] },
  model: { state: 'known', value: { modelled: 600_000 } },
};

function zone(id: string, changes: Partial<Evidence> = {}, asked: Partial<Question> = {}, by = artefact) {
  const decided = decide(by, { ...question, zones: [id], ...asked }, { ...proved, ...changes }).zones[0];
  if (decided === undefined) throw new Error('no zone was decided');
  return decided;
}

const late = { state: 'late' } as const;
const failed = { state: 'failed' } as const;
const absent = { state: 'absent' } as const;
const refused = { state: 'refused' } as const;

describe('audiences with a source of their own', () => {
  test('count, and those stored with the profile do not', () => {
    expect(zone('hero')).toMatchObject({ tier: 'user', variant: 'there', downgrade: null });
    expect(zone('hero', { audience: { state: 'known', value: [] } })).toMatchObject({ tier: 'user', variant: 'gone' });
  });

  test('are joined with those the caller gave', () => {
    const changes = { audience: { state: 'known', value: ['other'] } } as const;
    expect(zone('hero', changes, { audiences: ['lapsed'] })).toMatchObject({ variant: 'there' });
    expect(zone('hero', changes, { audiences: ['newsletter'] })).toMatchObject({ tier: 'anonymous' });
  });

  test.each([
    [late, 'audience_timeout', 'audience'],
    [{ state: 'late', why: 'deadline_too_short' } as const, 'deadline_too_short', 'audience'],
    [failed, 'audience_failed', 'audience'],
    [{ state: 'failed', why: 'circuit_open' } as const, 'circuit_open', 'audience'],
    [{ state: 'failed', why: 'overload' } as const, 'overload', null],
    [absent, 'audience_absent', 'audience'],
    [refused, 'audience_absent', 'audience'],
  ])('%o: %s', (audience, reason, dependency) => {
    expect(zone('hero', { audience })).toMatchObject({ tier: 'anonymous', downgrade: { reason, dependency } });
  });

  test('prove nothing by their silence while they are not known, for a rung that reads only the edge too', () => {
    expect(zone('edge')).toMatchObject({ tier: 'user' });
    for (const audience of [late, failed, absent, refused]) expect(zone('edge', { audience })).toMatchObject({ tier: 'anonymous' });
  });

  test('are missed after the profile and before the model', () => {
    expect(zone('all', { profile: absent, audience: late })).toMatchObject({ downgrade: { reason: 'profile_absent' } });
    expect(zone('all', { audience: late })).toMatchObject({ downgrade: { reason: 'audience_timeout' } });
  });

  test('a caller that knows nothing of them has none, and one that gives nonsense has a fault', () => {
    const { audience: _audience, model: _model, ...older } = proved;
    const decideWith = (evidence: unknown, id: string) => decide(artefact, { ...question, zones: [id] }, evidence as Evidence).zones[0];
    expect(decideWith(older, 'hero')).toMatchObject({ downgrade: { reason: 'audience_absent' } });
    expect(decideWith(older, 'rail')).toMatchObject({ downgrade: { reason: 'model_unavailable' } });
    expect(decideWith({ ...proved, audience: { state: 'known', value: [1] } }, 'hero')).toMatchObject({
      downgrade: { reason: 'audience_failed' },
    });
    for (const value of [{ modelled: 0.5 }, { modelled: -1 }, { modelled: 1_000_001 }, { modelled: '1' }, [], null]) {
      expect(decideWith({ ...proved, model: { state: 'known', value } }, 'rail')).toMatchObject({
        downgrade: { reason: 'model_unavailable' },
      });
    }
  });
});

describe('offers whose propensity a model says', () => {
  const model = (value: Record<string, number>) => ({ model: { state: 'known', value } }) as const;

  test("weigh by the model's word, and by the policy's where it has none", () => {
    expect(zone('rail')).toMatchObject({ offer: 'modelled' });
    expect(zone('rail', model({}))).toMatchObject({ offer: 'sure' });
    expect(zone('rail', model({ silent: 1_000_000, modelled: 999_999 }))).toMatchObject({ offer: 'silent' });
    expect(zone('rail', model({ sure: 0, modelled: 0 }))).toMatchObject({ offer: 'sure' });
  });

  test('the whole arbitration, explained, weighs the same', () => {
    for (const value of [{}, { silent: 1_000_000 }, { modelled: 500_001 }, { modelled: 500_000, silent: 500_000 }]) {
      expect(zone('rail', model(value), { explain: true }).offer).toBe(zone('rail', model(value)).offer);
    }
    expect(zone('rail', model({ modelled: 600_000 }), { explain: true }).explain).toMatchObject({
      candidates: expect.arrayContaining([
        expect.objectContaining({ offer: 'modelled', score: expect.objectContaining({ propensityPpm: 600_000 }) }),
      ]),
      facts: { audience: 'known', model: 'known' },
    });
  });

  test.each([
    [late, 'model_timeout', 'model'],
    [{ state: 'late', why: 'deadline_too_short' } as const, 'deadline_too_short', 'model'],
    [failed, 'model_unavailable', 'model'],
    [{ state: 'failed', why: 'circuit_open' } as const, 'circuit_open', 'model'],
    [{ state: 'failed', why: 'overload' } as const, 'overload', null],
    [absent, 'model_unavailable', 'model'],
    [refused, 'model_unavailable', 'model'],
  ])('%o: %s', (fact, reason, dependency) => {
    expect(zone('rail', { model: fact })).toMatchObject({ tier: 'anonymous', downgrade: { reason, dependency } });
  });
});

describe('what the policy says of a dependency', () => {
  const withModel = (fields: string) => artefactOf(policy.replace('model: { source', `model: { ${fields}, source`));

  test('its failure keeps every zone down', () => {
    const capped = withModel('onFailure: session');
    expect(zone('hero', { model: failed }, {}, capped)).toMatchObject({ tier: 'anonymous', downgrade: { reason: 'model_unavailable' } });
    expect(zone('hero', { model: late }, {}, capped)).toMatchObject({ downgrade: { reason: 'model_timeout', dependency: 'model' } });
    expect(zone('hero', { model: absent }, {}, capped)).toMatchObject({ tier: 'user' });
  });

  test.each([
    ['fallback', 'fallback', 'now'],
    ['fallback', 'defer', 'defer'],
    ['defer', 'fallback', 'defer'],
    ['suppress', 'defer', 'suppress'],
    ['defer', 'suppress', 'suppress'],
  ])('a zone that says %s renders by the stricter where the model says %s: %s', (own, ofModel, render) => {
    const told = artefactOf(
      policy.replace('late: fallback', `late: ${own}`).replace('model: { source', `model: { late: ${ofModel}, source`),
    );
    for (const model of [late, failed, { state: 'failed', why: 'circuit_open' } as const])
      expect(zone('rail', { model }, {}, told).render).toBe(render);
    for (const model of [absent, refused]) expect(zone('rail', { model }, {}, told).render).toBe('now');
  });

  test('where it says nothing, the cause alone decides', () => {
    const told = artefactOf(policy.replace('late: fallback', 'late: defer'));
    expect(zone('rail', { model: late }, {}, told).render).toBe('defer');
    expect(zone('rail', { model: failed }, {}, told)).toMatchObject({ render: 'now', downgrade: { cause: 'data' } });
  });

  test('another dependency is not to blame', () => {
    const told = artefactOf(policy.replace('model: { source', 'model: { late: suppress, source'));
    expect(zone('hero', { audience: late }, {}, told).render).toBe('now');
  });
});

describe('what a question needs', () => {
  const kinds = (...zones: string[]) => {
    const { profileKinds, audienceKinds, modelKinds } = needs(artefact, { ...question, zones });
    return { profileKinds, audienceKinds, modelKinds };
  };

  test('is what its user rungs read', () => {
    expect(kinds('hero')).toEqual({ profileKinds: [], audienceKinds: ['content'], modelKinds: [] });
    expect(kinds('edge')).toEqual({ profileKinds: [], audienceKinds: ['content'], modelKinds: [] });
    expect(kinds('rail')).toEqual({ profileKinds: [], audienceKinds: [], modelKinds: ['offer'] });
    expect(kinds('all', 'rail')).toEqual({ profileKinds: ['content'], audienceKinds: ['content'], modelKinds: ['offer'] });
  });

  test('is nothing for a shared question', () => {
    expect(needs(artefact, { ...question, audience: 'shared', zones: ['all', 'rail'] })).toMatchObject({
      audienceKinds: [],
      modelKinds: [],
    });
  });
});

test('less evidence never raises a tier, and what no rung reads changes nothing', () => {
  const unknown = fc.constantFrom<Fact<never>[]>(late, failed, absent, refused, { state: 'failed', why: 'circuit_open' });
  const audience = fc.uniqueArray(fc.constantFrom('lapsed', 'newsletter', 'other'));
  const propensity = fc.oneof(fc.constantFrom(0, 1_000_000), fc.integer({ min: 0, max: 1_000_000 }));
  const scores = fc.dictionary(fc.constantFrom('modelled', 'silent', 'sure'), propensity);
  const ids = ['hero', 'edge', 'rail', 'all'] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...ids),
      audience,
      scores,
      fc.option(audience),
      fc.record({ audience: fc.option(unknown), model: fc.option(unknown), profile: fc.option(unknown) }),
      (id, names, value, audiences, lost) => {
        const whole: Evidence = { ...proved, audience: { state: 'known', value: names }, model: { state: 'known', value } };
        const part = { ...whole };
        for (const dependency of ['audience', 'model', 'profile'] as const) {
          const fact = lost[dependency];
          if (fact !== null) Object.assign(part, { [dependency]: fact });
        }
        const withAll = zone(id, whole, { audiences });
        expect(tierHeight(zone(id, part, { audiences }).tier)).toBeLessThanOrEqual(tierHeight(withAll.tier));
        const asked = needs(artefact, { ...question, zones: [id] });
        const needed = {
          ...whole,
          ...(asked.profileKinds.length === 0 ? { profile: refused } : {}),
          ...(asked.audienceKinds.length === 0 ? { audience: refused } : {}),
          ...(asked.modelKinds.length === 0 ? { model: refused } : {}),
        };
        expect(zone(id, needed, { audiences })).toEqual(withAll);
      },
    ),
    { numRuns: 1_000 },
  );
});
