/** The management port: alive, ready with a policy whatever the store does, and never a word on the public port. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildManagement } from '../../src/app.ts';
import { startService } from './service.ts';

async function managed(changes: Parameters<typeof startService>[0] = {}) {
  const service = await startService(changes);
  const management = await buildManagement(service.parts);
  onTestFinished(async () => void (await management.close()));
  return { service, management };
}

describe('the management port', () => {
  it('is ready once a policy is loaded, however the store is', async () => {
    const { management } = await managed({ store: { kind: 'embedded', ping: async () => Promise.reject(new Error('gone')) } as never });
    expect((await management.inject('/livez')).statusCode).toBe(200);
    expect((await management.inject('/readyz')).statusCode).toBe(200);
    expect((await management.inject('/status')).json().dependencies.store).toMatchObject({
      kind: 'embedded',
      state: 'down',
      lastGood: null,
    });
    expect((await management.inject('/metrics')).headers['content-type']).toContain('text/plain');
  });

  it('is not ready without one', async () => {
    const { management } = await managed({ policy: { current: () => null } });
    expect((await management.inject('/readyz')).statusCode).toBe(503);
    expect((await management.inject('/livez')).statusCode).toBe(200);
  });

  it('says which policy answers and since when the store does', async () => {
    const { service, management } = await managed();
    const first = (await management.inject('/status')).json();
    expect(first.policy).toEqual({ id: 'retail', revision: service.artefact.revision, stale: false });
    service.clock.advance(5000);
    const second = (await management.inject('/status')).json().dependencies.store;
    expect(second.since).toBe(first.dependencies.store.since);
    expect(second.lastGood > first.dependencies.store.lastGood).toBe(true);
  });

  it('is not on the public port, and lets nothing be cached', async () => {
    const { service, management } = await managed();
    for (const url of ['/livez', '/readyz', '/status', '/metrics']) {
      expect((await service.app.inject(url)).statusCode).toBe(404);
      expect((await management.inject(url)).headers['cache-control']).toBe('private, no-store');
    }
    expect((await management.inject('/v1/decide')).headers['cache-control']).toBe('private, no-store');
  });
});
