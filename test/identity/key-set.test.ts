import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KeySetError, keySetOf, loadKeySet } from '../../src/identity/key-set.ts';
import { newKey } from './issuer.ts';

const ed25519 = newKey('a').publicJwk;
const p256 = newKey('b', 'ES256').publicJwk;
const rsa = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), kid: 'c' };
const privateJwk = { ...newKey('d').privateKey.export({ format: 'jwk' }), kid: 'd' };

describe('a key set', () => {
  it('finds its keys by kid, and infers the algorithm from the curve', async () => {
    const keySet = await keySetOf({ keys: [ed25519, p256] });
    expect(keySet.find('a')?.algorithm).toBe('Ed25519');
    expect(keySet.find('b')?.algorithm).toBe('ES256');
    expect(keySet.find('c')).toBeUndefined();
  });

  it('passes over public keys that serve something else', async () => {
    const keySet = await keySetOf({ keys: [rsa, { ...p256, kid: 'e', use: 'enc' }, { ...p256, kid: 'f', key_ops: ['sign'] }, ed25519] });
    expect(['a', 'c', 'e', 'f'].map((kid) => keySet.find(kid) !== undefined)).toEqual([true, false, false, false]);
  });

  const unfit: readonly { readonly what: string; readonly jwks: unknown; readonly says: string }[] = [
    { what: 'is no key set', jwks: [], says: 'a list `keys`' },
    { what: 'has no keys', jwks: { keys: [] }, says: 'no signing key' },
    { what: 'has no key for signatures we take', jwks: { keys: [rsa] }, says: 'no signing key' },
    { what: 'has something else among its keys', jwks: { keys: [null] }, says: 'key number 1 is not an object' },
    {
      what: 'has a symmetric key',
      jwks: { keys: [ed25519, { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }] },
      says: 'key `secret` is symmetric',
    },
    { what: 'has a private key', jwks: { keys: [privateJwk] }, says: 'key `d` is a private key' },
    { what: 'has a key without kid', jwks: { keys: [{ ...ed25519, kid: undefined }] }, says: 'key number 1 has no `kid`' },
    { what: 'has two keys of one kid', jwks: { keys: [ed25519, { ...p256, kid: 'a' }] }, says: 'key `a` has the `kid` of another key' },
    { what: 'has a key with another algorithm', jwks: { keys: [{ ...ed25519, alg: 'HS256' }] }, says: '`alg` must be EdDSA or Ed25519' },
    { what: 'has a key without coordinates', jwks: { keys: [{ ...p256, y: undefined }] }, says: 'lacks its coordinates' },
    { what: 'has a point off the curve', jwks: { keys: [{ ...p256, y: p256.x }] }, says: 'not a point of the curve' },
  ];
  it.each(unfit)('is refused when it $what, and says so', async ({ jwks, says }) => {
    await expect(keySetOf(jwks)).rejects.toThrow(KeySetError);
    await expect(keySetOf(jwks)).rejects.toThrow(says);
  });

  it('is replaced whole, under a new revision', async () => {
    const keySet = await keySetOf({ keys: [ed25519] });
    const { revision } = keySet;
    await keySet.replace({ keys: [p256] });
    expect(keySet.revision).not.toBe(revision);
    expect([keySet.find('a'), keySet.find('b')?.algorithm]).toEqual([undefined, 'ES256']);
  });

  it('stands as it was when its replacement is unfit', async () => {
    const keySet = await keySetOf({ keys: [ed25519] });
    const { revision } = keySet;
    await expect(keySet.replace({ keys: [p256, privateJwk] })).rejects.toThrow(KeySetError);
    expect([keySet.revision, keySet.find('a')?.algorithm, keySet.find('b')]).toEqual([revision, 'Ed25519', undefined]);
  });
});

describe('a key set in a file', () => {
  it('is read, and its errors name the file and never its content', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'stepwell-keys-'));
    try {
      const path = join(directory, 'jwks.json');
      await expect(loadKeySet(path)).rejects.toThrow(`key set \`${path}\` cannot be read`);
      await writeFile(path, `${privateJwk.d}{`);
      const error: unknown = await loadKeySet(path).catch((thrown: unknown) => thrown);
      expect(String(error)).toContain(`key set \`${path}\`: it is not JSON`);
      expect(JSON.stringify([String(error), (error as Error).cause ?? null])).not.toContain(privateJwk.d);
      await writeFile(path, JSON.stringify({ keys: [ed25519] }));
      expect((await loadKeySet(path)).find('a')?.algorithm).toBe('Ed25519');
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
