/** Whose tokens a service accepts, and that it says so where that is nobody's. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Environment, readConfig } from '../../src/config.ts';
import { generateIssuerKeys } from '../../src/identity/mint.ts';
import { tokenTrustOf } from '../../src/start/key-sets.ts';
import { systemClock } from '../../src/time/clock.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { answerWith, rawServer } from '../sources/scene.ts';

async function trusting(dataDir: string, env: Environment) {
  const warnings: string[] = [];
  const trust = await tokenTrustOf(readConfig({ STEPWELL_DATA_DIR: dataDir, ...env }), {
    clock: systemClock,
    random: () => 0,
    warn: (sentence) => warnings.push(sentence),
    inform() {},
  });
  return { trust, warnings };
}

test('a policy without a key set accepts nobody’s tokens, and that is said', async () => {
  await using directory = await temporaryDirectory();
  const { trust, warnings } = await trusting(directory.path, { STEPWELL_POLICY: 'shop.yaml' });
  expect(trust.keySet).toBeNull();
  expect(warnings).toEqual([expect.stringContaining('no token verifies')]);
  expect(warnings[0]).toContain('STEPWELL_JWKS');
});

test('a policy with a key set accepts its issuer’s, and nothing need be said', async () => {
  await using directory = await temporaryDirectory();
  const { jwks, kid } = await generateIssuerKeys();
  const path = join(directory.path, 'jwks.json');
  await writeFile(path, JSON.stringify(jwks));
  const env = { STEPWELL_POLICY: 'shop.yaml', STEPWELL_JWKS: path, STEPWELL_TOKEN_ISSUER: 'i', STEPWELL_TOKEN_AUDIENCE: 'a' };
  const { trust, warnings } = await trusting(directory.path, env);
  expect(trust).toMatchObject({ issuer: 'i', audience: 'a' });
  expect(trust.keySet?.find(kid)).toBeDefined();
  expect(warnings).toEqual([]);
});

test('a policy with an address of a key set accepts its issuer’s, and starts also where the address does not answer', async () => {
  await using directory = await temporaryDirectory();
  const { jwks, kid } = await generateIssuerKeys();
  const server = await rawServer((socket) => void socket.write(answerWith(jwks)));
  const env = { STEPWELL_POLICY: 'shop.yaml', STEPWELL_TOKEN_ISSUER: 'i', STEPWELL_TOKEN_AUDIENCE: 'a' };
  const there = await trusting(directory.path, { ...env, STEPWELL_JWKS: `${server.url}/keys` });
  expect(there.trust.keySet?.find(kid)).toBeDefined();
  expect(there.warnings).toEqual([]);
  await there.trust.dispose();
  await server.close();
  const gone = await trusting(directory.path, { ...env, STEPWELL_JWKS: `${server.url}/others` });
  expect(gone.trust.keySet?.isStale(systemClock.nowMs())).toBe(true);
  expect(gone.warnings).toEqual([
    expect.stringMatching(/^STEPWELL_JWKS: the key set cannot be had from its address \(connection_refused\)/),
  ]);
  expect(gone.warnings[0]).not.toContain('http');
  await gone.trust.dispose();
});

test('a proof may name what is configured, and in the demo the address it is served at', async () => {
  await using directory = await temporaryDirectory();
  const { trust: shop } = await trusting(directory.path, {
    STEPWELL_POLICY: 'shop.yaml',
    STEPWELL_PROOF_TARGETS: 'https://a.example/v1/decide',
  });
  shop.servedAt('http://127.0.0.1:8080');
  const { trust: demo } = await trusting(directory.path, {});
  const targets = [
    'https://a.example/v1/decide',
    'http://127.0.0.1:8080/v1/decide',
    'http://localhost:8080/v1/decide',
    'http://127.0.0.1:8080/',
  ];
  expect(targets.map((target) => demo.proofTargets.has(target))).toEqual([false, false, false, false]);
  demo.servedAt('http://127.0.0.1:8080');
  expect(targets.map((target) => shop.proofTargets.has(target))).toEqual([true, false, false, false]);
  expect(targets.map((target) => demo.proofTargets.has(target))).toEqual([false, true, true, false]);
});

test('the demo accepts its own issuer’s, and nothing need be said', async () => {
  await using directory = await temporaryDirectory();
  const { trust, warnings } = await trusting(directory.path, {});
  expect(trust.keySet).not.toBeNull();
  expect(warnings).toEqual([]);
});
