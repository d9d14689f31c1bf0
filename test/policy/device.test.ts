/** What a policy says of devices is in the artefact, in YAML as in JSON, and a policy that says nothing of them is what it always was. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../src/policy/compile.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const policy = {
  stepwell: 1,
  policy: 'pocket',
  attributes: {
    request: { country: { type: 'string', class: 'S0' } },
    device: { recent: { type: 'strings', class: 'S1' }, visits: { type: 'int', class: 'S0' } },
  },
  device: { maxAgeHours: 6 },
  pages: { home: { zones: ['hero', 'rail'] } },
  zones: {
    hero: {
      kind: 'content',
      ladder: [
        { tier: 'session', choose: [{ when: '"shoes" in device.recent', variant: 'shoes', device: true }] },
        { tier: 'segment', choose: [{ when: 'request.country == "DE"', variant: 'dach', device: true }] },
        { tier: 'anonymous', variant: 'plain', approved: { by: 'Brand', on: '2026-11-01', until: '2027-11-01' } },
      ],
    },
    rail: {
      kind: 'offer',
      ladder: [
        { tier: 'session', arbitrate: { tag: 'rail' } },
        { tier: 'anonymous', variant: 'plain', approved: { by: 'Brand', on: '2026-11-01', until: '2027-11-01' } },
      ],
    },
  },
  variants: { shoes: { content: 'shoes' }, dach: { content: 'dach' }, plain: { content: 'plain' } },
  offers: {
    back: {
      tags: ['rail'],
      class: 'S1',
      device: true,
      variant: 'shoes',
      propensityPpm: 10,
      value: 10,
      context: [{ when: 'device.visits > 3', perMille: 2000 }],
    },
  },
};

function compiled(text: string, file = 'p.json') {
  const { artefact, problems } = compilePolicy(text, { file, nowMs });
  expect(problems).toEqual([]);
  if (artefact === null) throw new Error('no artefact');
  return artefact;
}

describe('a policy that speaks of devices', () => {
  it('says so in the artefact: what is declared, what is marked and what only a device can decide', () => {
    const { attributes, device, zones, offers } = compiled(JSON.stringify(policy));
    expect(Object.keys(attributes.device ?? {})).toEqual(['recent', 'visits']);
    expect(device).toEqual({ enabled: true, maxAgeHours: 6 });
    const rules = zones.hero?.ladder.flatMap(({ select }) => (select.by === 'choose' ? select.rules : [])) ?? [];
    expect(rules.map((rule) => [rule.device, rule.reads.device])).toEqual([
      [true, true],
      [true, undefined],
      [undefined, undefined],
    ]);
    expect(offers.back).toMatchObject({ device: true, lowestTier: 'session', reads: { device: true, session: false } });
  });

  it('says the same in YAML', () => {
    // JSON is YAML.
    expect(compiled(JSON.stringify(policy), 'p.yaml')).toEqual(compiled(JSON.stringify(policy)));
  });
});

describe('a policy that says nothing of devices', () => {
  it('has nothing of them in its artefact, so that its revision stays what it was', () => {
    const artefact = compiled(
      readFileSync(new URL('fixtures/small.yaml', import.meta.url), 'utf8').replace('note: { type: string }', ''),
      'p.yaml',
    );
    expect(JSON.stringify(artefact)).not.toContain('"device":true');
    expect(artefact.device).toBeUndefined();
    expect(artefact.attributes.device).toBeUndefined();
  });
});
