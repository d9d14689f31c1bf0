/** Order and repetition change nothing: of signals, of use cases in a record, of members of a body and of headers. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import type { ConsentSignal, Evidence } from '../../src/decision/facts.ts';
import { startService } from '../http/service.ts';
import { evidenceOf } from './concrete.ts';
import { prepare } from './enumerate.ts';
import { scattered } from './product.ts';
import { slices } from './slices.ts';

/** One more of each kind, so that there is an order to change. */
const more: readonly ConsentSignal[] = [
  { state: 'valid', useCases: { content_personalization: 'granted', analytics_offer: 'denied' } },
  { state: 'valid', useCases: { profile_activation_content: 'granted' }, day: 20_000 },
];

describe('the order of what is said about consent', () => {
  it.each(['whole', 'everyDate'] as const)('and its repetition change no decision: %s', (name) => {
    const { slice, policies } = prepare(slices[name]);
    const wanted = 2000;
    for (let number = 0; number < wanted; number += 1) {
      const evidence = evidenceOf(slice.at(scattered(number, slice.size)));
      const signals = [...evidence.consent.signals, ...more];
      const said = (inOrder: readonly ConsentSignal[]): Evidence => ({ ...evidence, consent: { ...evidence.consent, signals: inOrder } });
      const orders = [signals.toReversed(), [...signals.slice(1), ...signals.slice(0, 1)], [...signals, ...signals]];
      for (const { artefact, question } of policies) {
        const decided = JSON.stringify(decide(artefact, question, said(signals)));
        for (const other of orders) expect(JSON.stringify(decide(artefact, question, said(other)))).toBe(decided);
      }
    }
  });
});

describe('the order of a request', () => {
  it('changes no byte of the answer', async () => {
    const service = await startService();
    await service.store.putProfile('alice', { attributes: { loyalty: 'gold' }, audiences: [] }, 600);
    const token = await service.tokenOf('alice');
    const { sessionId } = (await service.app.inject({ method: 'POST', url: '/v1/sessions', payload: {} })).json();
    const useCases = { content_personalization: 'granted', profile_activation_content: 'granted', offers: 'denied' };
    const payload = {
      page: 'home',
      deadlineMs: 50,
      identity: { token, sessionId, deviceId: 'd-nobody-1' },
      consent: { usPrivacy: '1YNN', googleConsentMode: { ad_storage: 'denied', analytics_storage: 'granted', origin: 'update' }, useCases },
      context: { country: 'DE', device: 'mobile' },
    };
    const headers = { 'sec-gpc': '1', 'stepwell-deadline-ms': '40', accept: 'application/json' };
    const answer = async (body: object, heads: Record<string, string>) => {
      const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload: body, headers: heads });
      expect(response.statusCode).toBe(200);
      return response.payload.replace(/"decisionId":"[^"]*"/, '"decisionId":""');
    };
    const first = await answer(payload, headers);
    expect(first).toContain('"reason":"gpc"');
    expect(await answer(reversed(payload) as object, reversed(headers) as Record<string, string>)).toBe(first);
  });
});

/** The same, its members the other way round, all the way down. */
function reversed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, member]) => [name, reversed(member)]),
  );
}
