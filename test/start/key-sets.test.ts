/** Whose tokens a service accepts, and that it says so where that is nobody's. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
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
  await trust.dispose();
});

describe('a key set in a file', () => {
  async function opened() {
    const directory = await temporaryDirectory();
    onTestFinished(() => directory[Symbol.asyncDispose]());
    const path = join(directory.path, 'jwks.json');
    const [first, second] = [await generateIssuerKeys(), await generateIssuerKeys()];
    await writeFile(path, JSON.stringify(first.jwks));
    const lines: string[] = [];
    const waiting: (() => void)[] = [];
    const say = (level: string) => (sentence: string) => {
      lines.push(`${level}: ${sentence}`);
      for (const wake of waiting.splice(0)) wake();
    };
    const config = readConfig({
      STEPWELL_DATA_DIR: directory.path,
      STEPWELL_POLICY: 'shop.yaml',
      STEPWELL_JWKS: path,
      STEPWELL_TOKEN_ISSUER: 'i',
      STEPWELL_TOKEN_AUDIENCE: 'a',
    });
    const trust = await tokenTrustOf(config, { clock: systemClock, random: () => 0, warn: say('warn'), inform: say('info') });
    onTestFinished(() => trust.dispose());
    /** A file that was read half-written is told of too, and is no change. */
    const changes = () => lines.filter((line) => line.startsWith('info'));
    const changed = async (count: number) => {
      while (changes().length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    };
    const known = () => [first, second].map(({ kid }) => trust.keySet?.find(kid) !== undefined);
    return { path, trust, lines, changes, changed, known, first, second };
  }

  test('is another soon after the file was written or another took its place: keys are rotated and taken back without a new start', async () => {
    const { path, changes, changed, known, first, second } = await opened();
    expect(known()).toEqual([true, false]);
    await writeFile(path, JSON.stringify({ keys: [...first.jwks.keys, ...second.jwks.keys] }));
    await changed(1);
    expect(known()).toEqual([true, true]);
    await writeFile(`${path}.new`, JSON.stringify(second.jwks));
    await rename(`${path}.new`, path);
    await changed(2);
    expect(known()).toEqual([false, true]);
    expect(changes()).toEqual(Array(2).fill('info: STEPWELL_JWKS: the key set has changed'));
  });

  test('is read again when somebody says so, and counts for the same as long as it is the same', async () => {
    const { path, trust, known, second, first } = await opened();
    const revision = trust.keySet?.revision;
    await writeFile(path, JSON.stringify(first.jwks, null, 2));
    await trust.reload();
    expect(trust.keySet?.revision).toBe(revision);
    await writeFile(path, JSON.stringify(second.jwks));
    await trust.reload();
    expect(known()).toEqual([false, true]);
    expect(trust.keySet?.revision).not.toBe(revision);
  });

  test('stays as it was where the file becomes wrong or is gone, which is told once each', async () => {
    const { path, trust, known, lines, second } = await opened();
    for (const spoil of [() => writeFile(path, 'hunter2'), () => writeFile(path, '{"keys":[]}'), () => rm(path)]) {
      const before = lines.length;
      await spoil();
      await trust.reload();
      await trust.reload();
      expect(known()).toEqual([true, false]);
      expect(lines).toHaveLength(before + 1);
      expect(lines.at(-1)).toMatch(/^warn: STEPWELL_JWKS: key set .*; the keys that were in force stay so$/);
    }
    await writeFile(path, JSON.stringify(second.jwks));
    await trust.reload();
    expect(known()).toEqual([false, true]);
    expect(lines.join()).not.toContain('hunter2');
  });
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
