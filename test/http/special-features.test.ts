/** Special features of the TCF: what the policy declares as one is read by nobody who did not opt in to it, at no tier. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dayOfMs, encodeTcString, type TcFields } from '../consent/encode-tcf.ts';
import { startService, type TestService } from './service.ts';

/** The segment rung of `hero` asks for the country: here it is what the visitor's position tells. */
function policyWithFeature(feature: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-special-features-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'policy.yaml');
  const text = readFileSync('test/http/policy.yaml', 'utf8');
  expect(text).toContain('country: { type: string');
  writeFileSync(path, text.replace('country: { type: string', `country: { specialFeature: ${feature}, type: string`));
  return path;
}

const everyPurpose = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

function stringWith({ clock }: TestService, fields: Partial<TcFields>): string {
  return encodeTcString({ day: dayOfMs(clock.nowMs()) - 5, consents: everyPurpose, vendorConsents: [1111], ...fields });
}

async function variantFor({ app }: TestService, consent: object, country = 'DE'): Promise<string> {
  const payload = { zones: ['hero'], context: { country }, consent };
  return (await app.inject({ method: 'POST', url: '/v1/decide', payload })).json().zones[0].variant;
}

describe('an attribute that is a special feature', () => {
  it('is read with an opt-in, and as if it had not been given without one', async () => {
    const service = await startService({}, policyWithFeature(1));
    expect(await variantFor(service, { tcf: stringWith(service, { specialFeatures: [1] }) })).toBe('hero-dach');
    expect(await variantFor(service, { tcf: stringWith(service, { specialFeatures: [1, 2] }) })).toBe('hero-dach');
    const everyUseCase = { content_personalization: 'granted', contextual_content: 'granted', offers: 'granted' };
    for (const consent of [
      {},
      { useCases: everyUseCase },
      { tcf: stringWith(service, {}) },
      { tcf: stringWith(service, { specialFeatures: [2] }) },
      { tcf: stringWith(service, { specialFeatures: [1], disclosed: [755] }) },
      { tcf: stringWith(service, { specialFeatures: [1], serviceSpecific: false }) },
      { tcf: stringWith(service, { specialFeatures: [1] }), gdprApplies: false },
      { tcf: stringWith(service, { specialFeatures: [1] }), gpp: 'unreadable', useCases: everyUseCase },
      { tcf: stringWith(service, { specialFeatures: [1] }), gpp: `DBABMA~${stringWith(service, {})}` },
    ])
      expect(await variantFor(service, consent)).toBe('hero-standard');
  });

  it('is told from the other one', async () => {
    const service = await startService({}, policyWithFeature(2));
    expect(await variantFor(service, { tcf: stringWith(service, { specialFeatures: [2] }) })).toBe('hero-dach');
    expect(await variantFor(service, { tcf: stringWith(service, { specialFeatures: [1] }) })).toBe('hero-standard');
  });

  it('changes no byte of an answer for everybody', async () => {
    const { app } = await startService({}, policyWithFeature(1));
    const bodyOf = async (query: string) => (await app.inject({ method: 'GET', url: `/v1/decide?zones=hero${query}` })).json().zones[0];
    expect((await bodyOf('&country=DE')).variant).toBe('hero-standard');
    expect(await bodyOf('&country=DE')).toEqual(await bodyOf('&country=FR'));
  });

  it('does not stop others from being read', async () => {
    const service = await startService();
    expect(await variantFor(service, {})).toBe('hero-dach');
  });
});
