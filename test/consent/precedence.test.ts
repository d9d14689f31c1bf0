/** Signals beside each other, asked of the running service: the states in its answer, for every vector of the corpus. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { hearConsent, type WireConsent } from '../../src/consent/signals.ts';
import { useCases } from '../../src/decision/vocabulary.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { startService, type TestService } from '../http/service.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { dayOfMs, granting } from './encode-tcf.ts';
import { corpus, corpusNowMs, type PrecedenceVector } from './tcf-corpus.ts';

/** The service's clock stands a day and a half after that of the corpus: no vector hangs on that. */
async function answered(service: TestService, vector: PrecedenceVector) {
  const recordedAt = vector.recordedAt ?? new Date(corpusNowMs).toISOString();
  if (vector.record !== undefined) {
    const payload = { useCases: vector.record, recordedAt };
    const put = await service.app.inject({ method: 'PUT', url: `/v1/consents/${vector.id}`, payload });
    expect(put.statusCode).toBeLessThan(300);
  }
  const response = await service.app.inject({
    method: 'POST',
    url: '/v1/decide',
    ...(vector.secGpc === undefined ? {} : { headers: { 'sec-gpc': [...vector.secGpc] } }),
    payload: {
      zones: ['hero', 'offer_rail'],
      identity: { token: await service.tokenOf(vector.id) },
      consent: vector.consent,
      ...(vector.country === null ? {} : { context: { country: vector.country } }),
    },
  });
  expect(response.statusCode).toBe(200);
  return response.json();
}

describe('the corpus of signals beside each other', () => {
  it('lists use cases in the order of the vocabulary', () => {
    expect(corpus.useCases).toEqual(useCases);
  });

  it.each(corpus.precedence)('$id $note', async (vector) => {
    const { consent } = await answered(await startService(), vector);
    expect(useCases.map((useCase) => consent[useCase])).toEqual(vector.states);
    const isReceived = vector.secGpc?.includes('1') ?? false;
    expect(consent.gpc.received).toBe(isReceived);
  });

  it.each(corpus.precedence)('$id names what does not count', (vector) => {
    const { outcomes } = hearConsent(vector.consent as WireConsent, vector.secGpc, {
      settings: { path: 'vendor', vendorId: 1111, maxAgeDays: 180, regimes: { US: 'us_opt_out' }, purposeOneCountries: [] },
      country: vector.country,
      nowMs: corpusNowMs,
    });
    const notCounted = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'absent' && outcome !== 'valid');
    expect(Object.fromEntries(notCounted)).toEqual(vector.notCounted);
  });
});

describe('a TC string beside what is stored', () => {
  const everything = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  const ofDay = (day: string, purposes = everything) => granting({ purposes, day: dayOfMs(Date.parse(day)) });
  const asked = async (service: TestService, payload: object) => {
    const response = await service.app.inject({
      method: 'POST',
      url: '/v1/decide',
      payload: { zones: ['hero', 'offer_rail'], ...payload },
    });
    return response.json();
  };
  const denied = { content_personalization: 'denied', offers: 'denied', profile_activation_content: 'denied' } as const;

  it.each([
    { recordedAt: '2026-11-10T23:59:59.999Z', tier: 'user', state: 'granted' },
    { recordedAt: '2026-11-11T00:00:00Z', tier: 'segment', state: 'denied' },
    { recordedAt: '2026-11-12T08:00:00Z', tier: 'segment', state: 'denied' },
  ])('of 11 November and a no of $recordedAt: $state', async ({ recordedAt, tier, state }) => {
    const service = await startService();
    await service.store.putProfile('ada', { attributes: { loyalty: 'gold' }, audiences: [] }, 600);
    const payload = { useCases: denied, recordedAt };
    await service.app.inject({ method: 'PUT', url: '/v1/consents/ada', payload });
    const identity = { token: await service.tokenOf('ada') };
    const context = { country: 'DE' };
    const byString = await asked(service, { identity, context, consent: { tcf: ofDay('2026-11-11T00:00:00Z') } });
    expect(byString.consent).toMatchObject({ content_personalization: state, offers: state });
    expect(byString.zones[0].tier).toBe(tier);
    // What has no day sets nothing aside, and a no that stands beside the string is as good as ever.
    const explicit = { content_personalization: 'granted', offers: 'granted', profile_activation_content: 'granted' };
    expect((await asked(service, { identity, context, consent: { useCases: explicit } })).consent.offers).toBe('denied');
    const both = { tcf: ofDay('2026-11-11T00:00:00Z'), useCases: { offers: 'denied' } };
    expect((await asked(service, { identity, context, consent: both })).consent.offers).toBe('denied');
    const gpc = await service.app.inject({
      method: 'POST',
      url: '/v1/decide',
      headers: { 'sec-gpc': '1' },
      payload: { zones: ['hero'], identity, context, consent: { tcf: ofDay('2026-11-11T00:00:00Z') } },
    });
    expect(gpc.json().consent).toMatchObject({ offers: 'denied', gpc: { received: true } });
  });

  it('that is silent of a use case, or denies it, sets no denial of it aside', async () => {
    const service = await startService();
    await service.app.inject({ method: 'PUT', url: '/v1/consents/ada', payload: { useCases: denied, recordedAt: '2026-11-01T00:00:00Z' } });
    const identity = { token: await service.tokenOf('ada') };
    const withoutOffers = await asked(service, { identity, consent: { tcf: ofDay('2026-11-11T00:00:00Z', [1, 5, 6]) } });
    expect(withoutOffers.consent).toMatchObject({
      content_personalization: 'granted',
      offers: 'denied',
      profile_activation_content: 'granted',
    });
    const undisclosed = granting({ purposes: everything, day: dayOfMs(Date.parse('2026-11-11T00:00:00Z')), disclosed: [755] });
    const silent = await asked(service, { identity, consent: { tcf: undisclosed } });
    expect(silent.consent).toMatchObject({ content_personalization: 'denied', offers: 'denied' });
  });

  it('sets a denial of the person aside under the rules it was given under, and not elsewhere', async () => {
    const service = await startService();
    await service.app.inject({ method: 'PUT', url: '/v1/consents/ada', payload: { useCases: denied, recordedAt: '2026-11-01T00:00:00Z' } });
    const identity = { token: await service.tokenOf('ada') };
    const consent = { tcf: ofDay('2026-11-11T00:00:00Z') };
    expect((await asked(service, { identity, consent, context: { country: 'FR' } })).consent.offers).toBe('granted');
    expect((await asked(service, { identity, consent, context: { country: 'US' } })).consent.offers).toBe('denied');
    expect((await asked(service, { identity, consent: { ...consent, gdprApplies: false } })).consent.offers).toBe('denied');
  });
});

describe('a positive signal', () => {
  const tcf = granting({ purposes: [1, 2, 3, 4, 5, 6, 7, 8, 11], day: dayOfMs(corpusNowMs) - 5 });

  it('is taken from nothing that another site can set: not from the address, the referrer or a cookie', async () => {
    const { app } = await startService();
    const silent = await app.inject({ method: 'POST', url: '/v1/decide', payload: { zones: ['hero'] } });
    const elsewhere = await app.inject({
      method: 'POST',
      url: '/v1/decide',
      headers: { referer: `https://shop.example/?tcf=${tcf}`, cookie: `euconsent-v2=${tcf}` },
      payload: { zones: ['hero'] },
    });
    expect(elsewhere.json().consent).toEqual(silent.json().consent);
    const inAddress = await app.inject({ method: 'POST', url: `/v1/decide?tcf=${tcf}&consent=${tcf}`, payload: { zones: ['hero'] } });
    expect(inAddress.json().consent).toEqual(silent.json().consent);
    const shared = await app.inject({ method: 'GET', url: `/v1/decide?zones=hero&tcf=${tcf}` });
    expect(shared.statusCode).toBe(400);
  });

  it('is heard once and not remembered', async () => {
    const service = await startService();
    const identity = { token: await service.tokenOf('ada') };
    const ask = async (consent: object) => {
      const response = await service.app.inject({ method: 'POST', url: '/v1/decide', payload: { zones: ['hero'], identity, consent } });
      return response.json().consent.offers;
    };
    expect(await ask({ tcf })).toBe('granted');
    expect(await ask({})).toBe('unavailable');
  });
});

describe('what became of each signal', () => {
  it('is counted by words of closed lists: absent, valid and each way not to count apart', async () => {
    const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
    onTestFinished(() => telemetry.shutdown());
    const { app } = await startService({ telemetry });
    const canary = 'CQcanary-7f3a';
    await app.inject({ method: 'POST', url: '/v1/decide', payload: { zones: ['hero'], consent: { tcf: canary, usPrivacy: '1YNN' } } });
    const told = await telemetry.metricsText();
    const counted = told.split('\n').filter((line) => line.startsWith('stepwell_consent_signals_total{'));
    expect(counted.sort()).toEqual([
      'stepwell_consent_signals_total{source="googleConsentMode",outcome="absent"} 1',
      'stepwell_consent_signals_total{source="gpp",outcome="absent"} 1',
      'stepwell_consent_signals_total{source="secGpc",outcome="absent"} 1',
      'stepwell_consent_signals_total{source="tcf",outcome="malformed"} 1',
      'stepwell_consent_signals_total{source="usPrivacy",outcome="valid"} 1',
      'stepwell_consent_signals_total{source="useCases",outcome="absent"} 1',
    ]);
    expect(told).not.toContain(canary);
  });
});
