/** A device that two people use: whoever was signed in before it changed hands is remembered there, not proved. */
import { expect, it } from 'vitest';
import { keySetOf } from '../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const keys = await generateIssuerKeys();
const granted = { content_personalization: 'granted', profile_activation_content: 'granted' };

async function household() {
  const verifier = createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...parties, clock: new VirtualClock() });
  const service = await startService({ verifier });
  const { app, clock, store } = service;
  for (const subject of ['anna', 'bob']) await store.putProfile(subject, { attributes: { loyalty: 'gold' }, audiences: [] }, 86_400 * 90);
  return {
    clock,
    /** As the site does at every login. */
    signsIn: async (subject: string) => {
      const payload = { subject, method: 'deterministic' };
      const { statusCode } = await app.inject({ method: 'PUT', url: '/v1/identities/device/the-tablet', payload });
      expect([201, 204]).toContain(statusCode);
    },
    seen: async (subject: string, claims: Record<string, unknown> = {}, identity: object = { deviceId: 'the-tablet' }) => {
      const token = await mintToken({ ...keys, ...parties, subject, nowMs: clock.nowMs(), lifetimeSeconds: 600, claims });
      const payload = { zones: ['hero'], identity: { token, ...identity }, consent: { useCases: granted } };
      const body = (await app.inject({ method: 'POST', url: '/v1/decide', payload })).json();
      return `${body.identity.state} ${body.zones[0].downgrade?.reason ?? body.zones[0].tier}`;
    },
  };
}

const proved = 'high_confidence user';
const remembered = 'partial identity_partial';

it('a second person on the device is proved by signing in, and not by having been signed in before', async () => {
  const { clock, signsIn, seen } = await household();
  const bobSignedInAt = Math.floor(clock.nowMs() / 1000);
  await signsIn('anna');
  expect(await seen('anna')).toBe(proved);
  clock.advance(60_000);
  await signsIn('bob');
  // A fresh token says little where the person authenticated before the device was theirs.
  expect(await seen('bob', { auth_time: bobSignedInAt })).toBe(remembered);
  expect(await seen('bob', { auth_time: Math.floor(clock.nowMs() / 1000) })).toBe(proved);
  // Whose the device was is nobody's business on any other.
  expect(await seen('bob', { auth_time: bobSignedInAt }, {})).toBe(proved);
  // The first person is another than the link names.
  expect(await seen('anna')).toBe(remembered);
});

/** Anna's, and a minute later Bob's, for a minute now. `before`: when it was hers still. */
async function passedOn() {
  const { clock, signsIn, seen } = await household();
  await signsIn('anna');
  clock.advance(60_000);
  const before = Math.floor(clock.nowMs() / 1000) - 30;
  await signsIn('bob');
  clock.advance(60_000);
  return { clock, signsIn, seen, before };
}

it('signing in again as the same person takes nothing from anybody, and gives nothing to who signed in before', async () => {
  const { signsIn, seen, before } = await passedOn();
  await signsIn('bob');
  expect(await seen('bob', { auth_time: before })).toBe(remembered);
  expect(await seen('bob', { iat: before, exp: before + 600 })).toBe(remembered);
  expect(await seen('bob')).toBe(proved);
});

it('nobody who signed in before is proved by a time of authentication that is yet to come', async () => {
  const { clock, seen, before } = await passedOn();
  const claims = { iat: before, exp: before + 600 };
  expect(await seen('bob', { ...claims, auth_time: Math.floor(clock.nowMs() / 1000) + 300 })).toBe(remembered);
  expect(await seen('bob', { ...claims, auth_time: Math.floor(clock.nowMs() / 1000) })).toBe(proved);
});

it('a device that nobody else used for thirty days is its new owner’s', async () => {
  const { clock, signsIn, seen } = await household();
  await signsIn('anna');
  const before = Math.floor(clock.nowMs() / 1000);
  clock.advance(31 * 86_400_000);
  await signsIn('bob');
  expect(await seen('bob', { auth_time: before })).toBe(proved);
});
