import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keySetOf } from '../../src/identity/key-set.ts';
import { createDemoIssuer, demoParties, generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const clock = new VirtualClock();
let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stepwell-issuer-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('the demo issuer', () => {
  it('mints tokens that its own key set verifies', async () => {
    const keys = await generateIssuerKeys();
    const parties = { issuer: 'i', audience: 'a' };
    const token = await mintToken({
      ...keys,
      ...parties,
      subject: 'shopper-1',
      nowMs: clock.nowMs(),
      lifetimeSeconds: 600,
      claims: { gen: 2 },
    });
    const verifier = createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...parties, clock });
    expect((await verifier.verify(token)).evidence).toMatchObject({ state: 'verified', subject: 'shopper-1', generation: 2 });
  });

  it('gives away its public key only', async () => {
    const { jwks } = await generateIssuerKeys();
    expect(JSON.stringify(jwks)).not.toContain('"d"');
  });

  it('keeps its key across starts, and starts at the same time agree on one', async () => {
    const [first, second] = await Promise.all([createDemoIssuer(directory), createDemoIssuer(directory)]);
    const third = await createDemoIssuer(directory);
    expect(new Set([first.kid, second.kid, third.kid]).size).toBe(1);
    expect(await readdir(directory)).toEqual(['demo-issuer.json']);
    expect((await stat(join(directory, 'demo-issuer.json'))).mode & 0o077).toBe(0);
    const verifier = createTokenVerifier({ keySet: await keySetOf(third.jwks), ...demoParties, clock });
    const token = await first.mint({ subject: 'shopper-1', nowMs: clock.nowMs(), lifetimeSeconds: 600 });
    expect((await verifier.verify(token)).evidence.state).toBe('verified');
  });

  it('says what to do about a key that cannot be used, without showing it', async () => {
    await writeFile(join(directory, 'demo-issuer.json'), '{"d":"secret');
    const error: unknown = await createDemoIssuer(directory).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('delete it, and a new one is made');
    expect(String(error)).not.toContain('secret');
  });
});
