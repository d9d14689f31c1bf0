/** The policy kept for the next start: whole or not at all, and refused when a single bit has turned. */
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lastGoodPolicyName, readLastGoodPolicy, saveLastGoodPolicy } from '../../src/start/last-good-policy.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';

const policy = { file: '/etc/stepwell/shöp.yaml', acceptedAtMs: 1_795_000_000_000, bytes: await readFile('test/http/policy.yaml') };

/** Damages to try; each is another place, another bit or another length. */
const damages = 1000;

test('what was kept is read again, byte for byte, by its owner only', async () => {
  await using directory = await temporaryDirectory();
  const dataDir = join(directory.path, 'data');
  expect(await readLastGoodPolicy(dataDir)).toEqual({ state: 'none' });
  await saveLastGoodPolicy(dataDir, policy);
  expect(await readLastGoodPolicy(dataDir)).toEqual({ state: 'found', policy });
  expect((await stat(join(dataDir, lastGoodPolicyName))).mode & 0o777).toBe(0o600);
  await saveLastGoodPolicy(dataDir, { ...policy, bytes: Buffer.alloc(3 * 1024 * 1024 + 1, 'a') });
  expect(await readLastGoodPolicy(dataDir)).toMatchObject({ state: 'found', policy: { bytes: { length: 3 * 1024 * 1024 + 1 } } });
  expect(await readdir(dataDir)).toEqual([lastGoodPolicyName]);
});

test(`${damages} of ${damages} files with one bit turned are refused, and so is every shorter and every longer one`, async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, lastGoodPolicyName);
  await saveLastGoodPolicy(directory.path, policy);
  const whole = await readFile(path);
  const headBits = 8 * whole.indexOf('\n', whole.indexOf('\n') + 1);
  const states: string[] = [];
  for (let index = 0; index < damages; index += 1) {
    // Every bit of the two lines at the top once, then some of the policy's.
    const bit = index < headBits ? index : headBits + ((index * 7919) % (8 * whole.length - headBits));
    const damaged = Buffer.from(whole);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await writeFile(path, damaged);
    states.push((await readLastGoodPolicy(directory.path)).state);
  }
  expect(states.filter((state) => state === 'damaged')).toHaveLength(damages);

  for (const length of [0, 1, 20, headBits / 8, whole.length - 1, whole.length >> 1]) {
    await writeFile(path, whole);
    await truncate(path, length);
    expect(await readLastGoodPolicy(directory.path), `cut to ${length}`).toEqual({ state: 'damaged' });
  }
  await writeFile(path, Buffer.concat([whole, Buffer.from('\n')]));
  expect(await readLastGoodPolicy(directory.path)).toEqual({ state: 'damaged' });
});

test('a save that cannot be finished leaves what was kept before, and nothing beside it', async () => {
  await using directory = await temporaryDirectory();
  // A directory stands where the file should go: the draft is written, and cannot take its place.
  await mkdir(join(directory.path, lastGoodPolicyName, 'in the way'), { recursive: true });
  await expect(saveLastGoodPolicy(directory.path, policy)).rejects.toThrow();
  expect(await readdir(directory.path)).toEqual([lastGoodPolicyName]);
});

test('two that save at once leave one of both, whole', async () => {
  await using directory = await temporaryDirectory();
  const given = ['a', 'b', 'c', 'd'].map((file) => ({ ...policy, file }));
  await Promise.all(given.map((each) => saveLastGoodPolicy(directory.path, each)));
  const reading = await readLastGoodPolicy(directory.path);
  expect(given.map((each) => ({ state: 'found', policy: each }))).toContainEqual(reading);
  expect(await readdir(directory.path)).toEqual([lastGoodPolicyName]);
});
