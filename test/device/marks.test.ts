/** From a policy as somebody writes it to what a device decides: what is marked arrives, and nothing else does. */
import { describe, expect, test } from 'vitest';
import { decideOnDevice } from '../../src/device/decide-on-device.ts';
import { trim } from '../../src/device/trim.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { baseNowMs } from './generate.ts';

const policy = `
stepwell: 1
policy: shop
owner: digital
attributes:
  request: { country: { type: string, class: S0 } }
  device: { recent_categories: { type: strings, class: S1 } }
contextualWithoutSignal: true
pages: { home: { zones: [hero, rail] } }
zones:
  hero:
    kind: content
    ladder:
      - tier: session
        choose:
          - { when: '"shoes" in device.recent_categories', variant: hero-shoes, device: true }
      - tier: segment
        choose:
          - { when: 'request.country == "CH"', variant: hero-secret }
          - { when: 'request.country in ["DE", "CH"]', variant: hero-dach, device: true }
      - { tier: anonymous, variant: hero-standard, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }
  rail:
    kind: offer
    ladder:
      - { tier: segment, arbitrate: { tag: rail } }
      - { tier: anonymous, variant: rail-standard, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }
variants:
  hero-shoes: { class: S1, content: { headline: shoes } }
  hero-secret: { content: { headline: canary-variant } }
  hero-dach: { content: { headline: dach } }
  hero-standard: { content: { headline: standard } }
  rail-standard: { content: {} }
  offer-open: { content: {} }
  offer-secret: { content: { title: canary-offer } }
offers:
  open: { tags: [rail], class: S0, variant: offer-open, propensityPpm: 100000, value: 10, device: true }
  secret: { tags: [rail], class: S0, variant: offer-secret, propensityPpm: 777777, value: 99999 }
`;

const { artefact, problems } = compilePolicy(policy, { file: 'shop.yaml', nowMs: baseNowMs });
if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
const trimmed = trim(artefact, baseNowMs);

const question = {
  nowMs: baseNowMs,
  page: 'home',
  zones: ['hero', 'rail'],
  request: { country: 'CH' },
  shownOffers: [],
  audiences: undefined,
  consent: { content_personalization: 'granted' },
  gpc: false,
  signals: { recent_categories: ['shoes'] },
  seed: '',
} as const;

describe('a policy with marks', () => {
  test('hands a device what is marked, and names what stays', () => {
    expect(trimmed.leftOut).toEqual([
      { zone: 'hero', tier: 'segment', rule: 0, offer: null, why: 'not_marked' },
      { zone: 'rail', tier: 'segment', rule: null, offer: 'secret', why: 'not_marked' },
    ]);
    const text = JSON.stringify(trimmed.artefact);
    for (const secret of ['canary', 'hero-secret', '777777', '99999']) expect(text).not.toContain(secret);
  });

  test('is decided on a device by local signals, with consent', () => {
    const variants = (asked: Partial<Parameters<typeof decideOnDevice>[1]>): unknown =>
      decideOnDevice(trimmed.artefact, { ...question, ...asked }).map(({ variant }) => variant);
    expect(variants({})).toEqual(['hero-shoes', 'offer-open']);
    expect(variants({ signals: { recent_categories: ['bags'] } })).toEqual(['hero-dach', 'offer-open']);
    expect(variants({ signals: {} })).toEqual(['hero-dach', 'offer-open']);
    expect(variants({ consent: {} })).toEqual(['hero-dach', 'offer-open']);
    expect(variants({ consent: { content_personalization: 'denied', contextual_content: 'denied' } })).toEqual([
      'hero-standard',
      'offer-open',
    ]);
    expect(variants({ request: {}, signals: null })).toEqual(['hero-standard', 'offer-open']);
  });
});
