/** Whose tokens a service accepts, and that it says so where that is nobody's. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Environment, readConfig } from '../../src/config.ts';
import { generateIssuerKeys } from '../../src/identity/mint.ts';
import { tokenTrustOf } from '../../src/start/key-sets.ts';
import { systemClock } from '../../src/time/clock.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';

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

test('the demo accepts its own issuer’s, and nothing need be said', async () => {
  await using directory = await temporaryDirectory();
  const { trust, warnings } = await trusting(directory.path, {});
  expect(trust.keySet).not.toBeNull();
  expect(warnings).toEqual([]);
});
