import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyKeySet, KeySetError, keySetOf, loadKeySet } from '../../src/identity/key-set.ts';
import { newKey } from './issuer.ts';

const ed25519 = newKey('a').publicJwk;
const p256 = newKey('b', 'ES256').publicJwk;
const rsa = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' }), kid: 'c' };
const privateJwk = { ...newKey('d').privateKey.export({ format: 'jwk' }), kid: 'd' };

const numbered = (count: number) => Array.from({ length: count }, (_, index) => ({ ...ed25519, kid: `key-${index}` }));

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

  const fit: readonly { readonly what: string; readonly jwk: Record<string, unknown> }[] = [
    { what: 'for signatures', jwk: { ...ed25519, use: 'sig' } },
    { what: 'to verify with', jwk: { ...p256, kid: 'a', key_ops: ['verify'] } },
    { what: 'to verify and more', jwk: { ...ed25519, key_ops: ['sign', 'verify'] } },
    { what: 'under the older name of its algorithm', jwk: { ...ed25519, alg: 'EdDSA' } },
    { what: 'under the name of its algorithm', jwk: { ...ed25519, alg: 'Ed25519' } },
    { what: 'elliptic, under the name of its algorithm', jwk: { ...p256, kid: 'a', alg: 'ES256' } },
    { what: 'with a coordinate that it does not need', jwk: { ...ed25519, y: 'y' } },
  ];
  it.each(fit)('takes a key $what', async ({ jwk }) => {
    const keySet = await keySetOf({ keys: [jwk] });
    expect(keySet.find('a')?.algorithm).toBe(jwk.kty === 'EC' ? 'ES256' : 'Ed25519');
    expect(keySet.isStale(Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  it('may have a hundred keys', async () => {
    expect((await keySetOf({ keys: numbered(100) })).find('key-99')).toBeDefined();
  });

  it('that is somebody else’s to write is spoken of by number', async () => {
    const refusal: unknown = await emptyKeySet('by number')
      .replace({ keys: [ed25519, { ...p256, kid: 'theirs', y: p256.x }] })
      .catch((thrown: unknown) => thrown);
    expect(refusal).toMatchObject({ name: 'KeySetError', cause: expect.any(Error) });
    expect(String(refusal)).toContain('key number 2 does not import');
    expect(String(refusal)).not.toContain('theirs');
  });

  const unfit: readonly { readonly what: string; readonly jwks: unknown; readonly says: string }[] = [
    { what: 'is no key set', jwks: [], says: 'a list `keys`' },
    { what: 'is nothing', jwks: null, says: 'a list `keys`' },
    { what: 'has no list of keys', jwks: {}, says: 'a list `keys`' },
    { what: 'has something else for a list', jwks: { keys: { length: 1 } }, says: 'a list `keys`' },
    { what: 'has a key too many', jwks: { keys: numbered(101) }, says: 'more than 100 keys' },
    { what: 'has no keys', jwks: { keys: [] }, says: 'no signing key' },
    { what: 'has no key for signatures we take', jwks: { keys: [rsa] }, says: 'no signing key' },
    { what: 'has something else among its keys', jwks: { keys: [null] }, says: 'key number 1 is not an object' },
    {
      what: 'has a symmetric key',
      jwks: { keys: [ed25519, { kty: 'oct', k: 'c2VjcmV0', kid: 'secret' }] },
      says: 'key `secret` is symmetric',
    },
    {
      what: 'has a symmetric key that is left out',
      jwks: { keys: [{ kty: 'oct', kid: 'secret' }, ed25519] },
      says: 'key `secret` is symmetric',
    },
    { what: 'has a secret in a public key', jwks: { keys: [{ ...p256, k: 'c2VjcmV0' }, ed25519] }, says: 'key `b` is symmetric' },
    { what: 'has a curve of another type', jwks: { keys: [{ ...ed25519, kty: 'EC' }] }, says: 'no signing key' },
    { what: 'has a curve of the prototype', jwks: { keys: [{ ...ed25519, crv: 'toString' }] }, says: 'no signing key' },
    { what: 'has a curve that is no text', jwks: { keys: [{ ...ed25519, crv: ['Ed25519'] }] }, says: 'no signing key' },
    { what: 'has a key with an empty kid', jwks: { keys: [{ ...ed25519, kid: '' }] }, says: 'key number 1 has no `kid`' },
    { what: 'has a key whose kid is no text', jwks: { keys: [ed25519, { ...p256, kid: 7 }] }, says: 'key number 2 has no `kid`' },
    { what: 'has a key with a list of algorithms', jwks: { keys: [{ ...ed25519, alg: ['EdDSA'] }] }, says: 'of curve `Ed25519`' },
    { what: 'has an elliptic key with another algorithm', jwks: { keys: [{ ...p256, alg: 'ES384' }] }, says: '`alg` must be ES256, or' },
    { what: 'has a key without x', jwks: { keys: [{ ...ed25519, x: undefined }] }, says: 'key `a` lacks its coordinates' },
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
    expect(keySet.revision).toBeGreaterThan(revision);
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

  it('keeps its revision when it is read again and is the same, and takes a new one whole', () =>
    inFile(async (path) => {
      await writeFile(path, JSON.stringify({ keys: [ed25519] }));
      const keySet = await loadKeySet(path);
      const { revision } = keySet;
      await writeFile(path, `${JSON.stringify({ keys: [ed25519] })}\n`);
      expect([await keySet.reload(), keySet.revision, keySet.isStale(0)]).toEqual([false, revision, false]);
      await writeFile(path, JSON.stringify({ keys: [p256] }));
      expect(await keySet.reload()).toBe(true);
      expect(keySet.revision).toBeGreaterThan(revision);
      expect([keySet.find('a'), keySet.find('b')?.algorithm]).toEqual([undefined, 'ES256']);
    }));

  it('keeps its keys where the new ones are unfit, and takes the old ones for no others after', () =>
    inFile(async (path) => {
      const text = JSON.stringify({ keys: [ed25519] });
      await writeFile(path, text);
      const keySet = await loadKeySet(path);
      await writeFile(path, JSON.stringify({ keys: [{ ...p256, y: p256.x }] }));
      const refusal: unknown = await keySet.reload().catch((thrown: unknown) => thrown);
      expect(refusal).toMatchObject({ name: 'KeySetError', cause: expect.any(Error) });
      expect(String(refusal)).toContain(`key set \`${path}\`: key \`b\` does not import`);
      expect(keySet.find('a')?.algorithm).toBe('Ed25519');
      await writeFile(path, text);
      expect(await keySet.reload()).toBe(false);
      await rm(path);
      await expect(keySet.reload()).rejects.toMatchObject({ cause: { code: 'ENOENT' } });
    }));

  it('may be a mebibyte long, in bytes and not in characters', () =>
    inFile(async (path) => {
      const bytes = 1_048_576;
      const text = JSON.stringify({ keys: [ed25519] });
      await writeFile(path, text.padEnd(bytes));
      expect((await loadKeySet(path)).find('a')).toBeDefined();
      await writeFile(path, text.padEnd(bytes + 1));
      await expect(loadKeySet(path)).rejects.toThrow(`key set \`${path}\`: it is larger than ${bytes} bytes`);
      await writeFile(path, JSON.stringify({ keys: [ed25519], note: 'ä'.repeat(bytes / 2) }));
      await expect(loadKeySet(path)).rejects.toThrow('it is larger than');
    }));
});

async function inFile(run: (path: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'stepwell-keys-'));
  try {
    await run(join(directory, 'jwks.json'));
  } finally {
    await rm(directory, { recursive: true });
  }
}
