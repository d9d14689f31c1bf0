/** Retention: what the policy keeps for so many days is as if it had never been written once they are over, whoever asks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPatiently } from '../stores/redis-opening.ts';
import { startRedis } from '../support/redis-server.ts';
import { call } from './callers.ts';
import { compiled, startService, type TestService } from './service.ts';

const dayMs = 86_400_000;

/** The policy of these tests, keeping the given things for so many days. */
function policyKeeping(days: { readonly loyalty?: number; readonly days_since_order?: number; readonly lapsed?: number }): string {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-retention-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'policy.yaml');
  let text = readFileSync('test/http/policy.yaml', 'utf8');
  for (const [name, retentionDays] of Object.entries(days)) {
    const declared = new RegExp(`(\\n +${name}: \\{)([^}]*class: S1)`);
    expect(text).toMatch(declared);
    text = text.replace(declared, `$1 retentionDays: ${retentionDays},$2`);
  }
  writeFileSync(path, text);
  return path;
}

const granted = { content_personalization: 'granted', profile_activation_content: 'granted' };

async function tierOf(service: TestService): Promise<string> {
  const payload = { zones: ['hero'], identity: { token: await service.tokenOf('ada') }, consent: { useCases: granted }, deadlineMs: 500 };
  return (await call(service, { method: 'POST', url: '/v1/decide', payload })).json().zones[0].tier;
}

const profile = { attributes: { loyalty: 'gold', days_since_order: 3 }, audiences: ['lapsed'], ttlSeconds: 400 * 86_400 };
const put = async (service: TestService, payload: object = profile) =>
  (await call(service, { method: 'PUT', url: '/v1/profiles/ada', payload })).status;
const get = async (service: TestService) => (await call(service, { url: '/v1/profiles/ada' })).json();

describe('an attribute that is kept for 30 days', () => {
  it('is read until they are over and not afterwards: by decisions, by who gets the profile, by who exports it', async () => {
    const service = await startService({}, policyKeeping({ loyalty: 30, lapsed: 60 }));
    expect(await put(service)).toBe(201);
    service.clock.advance(30 * dayMs - 1);
    expect(await tierOf(service)).toBe('user');
    expect(await get(service)).toMatchObject({ attributes: profile.attributes, audiences: ['lapsed'] });
    service.clock.advance(1);
    expect(await tierOf(service)).toBe('anonymous');
    const kept = { attributes: { days_since_order: 3 }, audiences: ['lapsed'] };
    expect(await get(service)).toEqual({ ...kept, ttlSeconds: 370 * 86_400 });
    expect((await call(service, { url: '/v1/exports/ada' })).json().profile).toMatchObject(kept);
    service.clock.advance(30 * dayMs);
    expect(await get(service)).toMatchObject({ attributes: { days_since_order: 3 }, audiences: [] });
  });

  it('is kept anew from when it is written anew', async () => {
    const service = await startService({}, policyKeeping({ loyalty: 30 }));
    await put(service);
    service.clock.advance(29 * dayMs);
    expect(await put(service)).toBe(204);
    service.clock.advance(29 * dayMs);
    expect(await tierOf(service)).toBe('user');
  });

  it('is kept no longer by a policy that comes later, and no shorter', async () => {
    const service = await startService({}, policyKeeping({ loyalty: 30 }));
    await put(service);
    const nowMs = service.clock.nowMs();
    for (const path of [policyKeeping({ loyalty: 3650 }), policyKeeping({}), policyKeeping({ loyalty: 1 })]) {
      const policy = { current: () => ({ artefact: compiled(path, nowMs), stale: false }) };
      const later = await startService({ ...service.parts, policy }, path);
      expect(await get(later)).toMatchObject({ attributes: profile.attributes });
    }
    service.clock.advance(30 * dayMs);
    const later = await startService({ ...service.parts }, policyKeeping({ loyalty: 3650 }));
    expect((await get(later)).attributes).toEqual({ days_since_order: 3 });
  });

  it('takes its record with it, once nothing in it is kept longer', async () => {
    const service = await startService({}, policyKeeping({ loyalty: 30, days_since_order: 10, lapsed: 20 }));
    await put(service);
    expect((await get(service)).ttlSeconds).toBe(30 * 86_400);
    await put(service, { ...profile, ttlSeconds: 60 });
    expect((await get(service)).ttlSeconds).toBe(60);
    await put(service, { attributes: {}, ttlSeconds: 3600 });
    expect((await get(service)).ttlSeconds).toBe(3600);
  });

  it('ends in Redis too, where the service’s own clock says so', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const store = await openPatiently(server.url);
    onTestFinished(() => store.close());
    const service = await startService({ store }, policyKeeping({ loyalty: 30 }));
    await put(service);
    expect(await tierOf(service)).toBe('user');
    service.clock.advance(30 * dayMs);
    expect(await tierOf(service)).toBe('anonymous');
    expect((await get(service)).attributes).toEqual({ days_since_order: 3 });
  });
});
