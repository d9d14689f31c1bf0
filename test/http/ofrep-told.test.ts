/** What OFREP's answers say of a decision, what the log says of OFREP's requests, and that the check of shapes would notice a wrong one. */
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { flagText } from '../../src/contract/ofrep-answer.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import type { Downgrade, ZoneDecision } from '../../src/decision/decision.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { StoreError } from '../../src/records/store-error.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { call } from './callers.ts';
import { checkOfrep } from './ofrep-shapes.ts';
import { startService } from './service.ts';

function policy(change: (text: string) => string = (text) => text): Artefact {
  const text = change(readFileSync('test/http/policy.yaml', 'utf8'));
  const { artefact } = compilePolicy(text, { file: 'policy.yaml', nowMs: new VirtualClock().nowMs() });
  if (artefact === null) throw new Error('the policy of the tests loads');
  return artefact;
}

const decided: ZoneDecision = {
  zone: 'hero',
  tier: 'segment',
  intendedTier: 'segment',
  variant: 'hero-dach',
  offer: null,
  content: { headline: 'Neue Saison' },
  render: 'now',
  downgrade: null,
  cache: { scope: 'private', maxAgeSeconds: 0, key: null, tags: [], degraded: false },
  holdout: null,
  propensityPpm: null,
};
const down = (reason: Downgrade['reason']): Downgrade => ({
  from: 'user',
  to: 'anonymous',
  reason,
  cause: 'policy',
  dependency: null,
  steps: [],
});

describe('a reason', () => {
  const told = (change: Partial<ZoneDecision>) => JSON.parse(flagText({ ...decided, ...change }, policy(), []));

  it.each<[string, Partial<ZoneDecision>]>([
    ['TARGETING_MATCH', {}],
    ['SPLIT', { propensityPpm: 250_000 }],
    ['DEFAULT', { tier: 'anonymous', variant: 'hero-standard' }],
    ['DEFAULT', { tier: 'anonymous', downgrade: down('no_eligible_offer') }],
    ['DISABLED', { tier: 'anonymous', downgrade: down('zone_disabled') }],
    ['DISABLED', { tier: 'anonymous', downgrade: down('kill_switch') }],
  ])('is %s for %j', (reason, change) => {
    expect(told(change).reason).toBe(reason);
    expect(told(change).value).toEqual({ headline: 'Neue Saison' });
  });
});

describe('a zone that is to be left empty for want of time', () => {
  it('has the approved value all the same, and says so', async () => {
    const artefact = policy((text) => text.replace('late: defer', 'late: suppress'));
    const { store, tokenOf } = await startService();
    const broken = Object.assign(Object.create(store), { read: () => Promise.reject(new StoreError('disconnected', 'down')) });
    const service = await startService({ store: broken, policy: { current: () => ({ artefact, stale: false }) } });
    const context = { token: await tokenOf('ada'), consent: { useCases: { offers: 'granted', profile_activation_offer: 'granted' } } };
    const decide = { zones: ['offer_rail'], identity: { token: context.token }, consent: context.consent };
    const native = (await call(service, { method: 'POST', url: '/v1/decide', payload: decide })).json().zones[0];
    expect([native.render, native.variant, native.content]).toEqual(['suppress', null, null]);
    const flag = (await call(service, { method: 'POST', url: '/ofrep/v1/evaluate/flags/offer_rail', payload: { context } })).json();
    expect(flag).toMatchObject({ reason: 'DEFAULT', variant: 'rail-editorial', value: { items: ['a', 'b', 'c'] } });
    expect(flag.metadata).toMatchObject({ render: 'suppress', downgradeCause: 'fault' });
  });
});

describe('the log', () => {
  it('says which route was asked, and nothing of the context, the flag or the key', async () => {
    const written: string[] = [];
    const logger = pino({ level: 'trace' }, { write: (line: string) => void written.push(line) });
    const service = await startService({ logger });
    const context = {
      targetingKey: 'canary-one',
      email: 'canary-two',
      country: 'canary-three',
      token: 'canary-four',
      consent: 'canary-five',
    };
    for (const url of ['/ofrep/v1/evaluate/flags', '/ofrep/v1/evaluate/flags/hero', '/ofrep/v1/evaluate/flags/canary-six']) {
      await call(service, { method: 'POST', url, payload: { context }, headers: { 'x-api-key': 'canary-seven' } });
      await call(service, { method: 'POST', url, payload: { 'canary-eight': context } });
    }
    const text = written.join('');
    expect(text).toContain('/ofrep/v1/evaluate/flags/:key');
    expect(text).not.toContain('canary');
  });
});

describe('the check of shapes', () => {
  const flag = { key: 'hero', reason: 'DEFAULT', value: 'x', metadata: { tier: 'anonymous' } };
  it.each<[string, 'single' | 'bulk', number, unknown]>([
    ['a status that clients do not know', 'single', 503, { key: 'hero', errorCode: 'GENERAL' }],
    ['no reason', 'single', 200, { key: 'hero', value: 'x' }],
    ['a reason that OpenFeature does not have', 'single', 200, { ...flag, reason: 'PERSONAL' }],
    ['metadata within metadata', 'single', 200, { ...flag, metadata: { downgrade: { reason: 'gpc' } } }],
    ['a value that is null', 'single', 200, { ...flag, value: null }],
    ['a failure without its key', 'single', 500, { errorCode: 'GENERAL', errorDetails: '' }],
    ['flags that are no list', 'bulk', 200, { flags: { hero: flag } }],
    [
      'a stream with two addresses',
      'bulk',
      200,
      { flags: [], eventStreams: [{ type: 'sse', url: 'http://a.example/', endpoint: { requestUri: '/' } }] },
    ],
    ['a 304 with a body', 'bulk', 304, { flags: [] }],
  ])('notices %s', (_, kind, status, body) => {
    expect(() => checkOfrep(kind, status, body)).toThrow();
  });
});
