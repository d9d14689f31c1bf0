/** Bulk evaluation of more flags than a page may hold, and what a targeting key is good for. */
import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { call } from './callers.ts';
import { checkOfrep } from './ofrep-shapes.ts';
import { startService, type TestService } from './service.ts';

interface Flag {
  readonly key: string;
  readonly reason: string;
  readonly variant: string;
}

const approved = { by: 'Tests', on: '2026-11-01', until: '2099-11-01' };

/** Zones that all compete for the same offers; those named later choose first. */
function policyOf({ zones, offers }: { zones: number; offers: number }): Artefact {
  const zoneIds = Array.from({ length: zones }, (_, index) => `zone-${String(index).padStart(4, '0')}`);
  const offerIds = Array.from({ length: offers }, (_, index) => `offer-${index}`);
  const ladder = [
    { tier: 'segment', arbitrate: { tag: 'all' } },
    { tier: 'anonymous', variant: 'plain', approved },
  ];
  const document = {
    stepwell: 1,
    policy: 'many',
    owner: 'tests',
    attributes: { request: { country: { type: 'string', class: 'S0' } } },
    contextualWithoutSignal: true,
    consent: { path: 'vendor', vendorId: 1, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] },
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    dependencies: { identity: { budgetMs: 20 }, consent: { budgetMs: 20 }, profile: { budgetMs: 20 }, session: { budgetMs: 20 } },
    pages: { first: { deadlineMs: 60, zones: zoneIds.slice(0, 2) } },
    zones: Object.fromEntries(zoneIds.map((id, index) => [id, { kind: 'content', criticality: index, ladder }])),
    variants: Object.fromEntries(['plain', ...offerIds].map((id) => [id, { content: id, class: 'S0' }])),
    offers: Object.fromEntries(
      offerIds.map((id) => [id, { tags: ['all'], class: 'S0', variant: id, propensityPpm: 1_000_000, value: 1, when: 'true' }]),
    ),
  };
  const { artefact, problems } = compilePolicy(JSON.stringify(document), { file: 'many.json', nowMs: new VirtualClock().nowMs() });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

function serving(artefact: Artefact): Promise<TestService> {
  return startService({ policy: { current: () => ({ artefact, stale: false }) } });
}

async function all(service: TestService, context: object): Promise<readonly Flag[]> {
  const answer = await call(service, { method: 'POST', url: '/ofrep/v1/evaluate/flags', payload: { context } });
  checkOfrep('bulk', answer.status, answer.json());
  expect(answer.status).toBe(200);
  return answer.json().flags;
}

describe('all flags of a large policy', () => {
  it.each([1, 32, 33, 64, 65, 1000])('are all there, %s of them, sorted by key', async (zones) => {
    const flags = await all(await serving(policyOf({ zones, offers: 3 })), {});
    expect(flags.map(({ key }) => key)).toEqual(Array.from({ length: zones }, (_, index) => `zone-${String(index).padStart(4, '0')}`));
  });

  it('are one page: no offer twice, and the most critical choose first, over however many turns', async () => {
    const flags = await all(await serving(policyOf({ zones: 100, offers: 40 })), {});
    const shown = flags.filter(({ reason }) => reason === 'TARGETING_MATCH');
    expect(new Set(shown.map(({ variant }) => variant)).size).toBe(40);
    expect(shown.map(({ key }) => key)).toEqual(flags.slice(60).map(({ key }) => key));
  });

  it('are decided as /v1/decide decides as many as it takes', async () => {
    const artefact = policyOf({ zones: 32, offers: 20 });
    const service = await serving(artefact);
    const payload = { zones: Object.keys(artefact.zones) };
    const { zones } = (await call(service, { method: 'POST', url: '/v1/decide', payload })).json();
    const decided = zones.map(({ zone, variant }: { zone: string; variant: string }) => [zone, variant]);
    expect((await all(service, {})).map(({ key, variant }) => [key, variant])).toEqual(decided);
  });

  it('let others be answered in between', async () => {
    const service = await serving(policyOf({ zones: 1000, offers: 1 }));
    const order: string[] = [];
    const large = all(service, {}).then(() => order.push('all'));
    const small = all(service, { page: 'first' }).then(() => order.push('page'));
    await Promise.all([large, small]);
    expect(order).toEqual(['page', 'all']);
  });
});

describe('a targeting key', () => {
  const winner = async (service: TestService, context: object) => (await all(service, context))[0]?.variant;

  it('breaks ties, the same way each time', async () => {
    const service = await serving(policyOf({ zones: 1, offers: 2 }));
    const keys = Array.from({ length: 32 }, (_, index) => `visitor-${index}`);
    const first = await Promise.all(keys.map((targetingKey) => winner(service, { targetingKey })));
    expect(new Set(first)).toEqual(new Set(['offer-0', 'offer-1']));
    expect(await Promise.all(keys.map((targetingKey) => winner(service, { targetingKey })))).toEqual(first);
  });

  it('may be missing or empty, or no text: then ties fall as they do for everybody', async () => {
    const service = await serving(policyOf({ zones: 1, offers: 2 }));
    const everybody = (await call(service, { method: 'POST', url: '/v1/decide', payload: { zones: ['zone-0000'] } })).json().zones[0]
      .variant;
    for (const context of [{}, { targetingKey: '' }, { targetingKey: null }, { targetingKey: 7 }]) {
      expect(await winner(service, context)).toBe(everybody);
    }
  });
});
