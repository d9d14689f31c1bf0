import { compactVerify, createLocalJWKSet, exportJWK, generateKeyPair, importJWK } from 'jose';
import { describe, expect, it } from 'vitest';
import { ArtefactKeyError, artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';

const payload = { format: 1, policy: 'shop', iat: 1 };
const publicHalf = (text: string) => {
  const { d: _, ...rest } = JSON.parse(text);
  return rest;
};
const refusal = (text: string): string => {
  try {
    artefactKeysOf(text);
    return 'taken';
  } catch (error) {
    expect(error).toBeInstanceOf(ArtefactKeyError);
    return (error as Error).message;
  }
};

describe('an artefact key', () => {
  it('signs what an independent library verifies with the published half, and nothing that was changed', async () => {
    const keys = artefactKeysOf(newArtefactKey());
    const jws = keys.sign(payload);
    const set = createLocalJWKSet(structuredClone(keys.jwks) as never);
    const { payload: bytes, protectedHeader } = await compactVerify(jws, set);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual(payload);
    expect(protectedHeader).toEqual({ alg: 'Ed25519', kid: keys.jwks.keys[0]?.kid, typ: 'stepwell-artefact+jws' });
    for (const at of [0, jws.indexOf('.') + 3, jws.length - 5]) {
      const changed = jws.slice(0, at) + (jws[at] === 'A' ? 'B' : 'A') + jws.slice(at + 1);
      await expect(compactVerify(changed, set)).rejects.toThrow();
    }
  });

  it('signs the same payload with the same text in every process that has it', () => {
    const text = newArtefactKey();
    expect(artefactKeysOf(text).sign(payload)).toBe(artefactKeysOf(text).sign(payload));
    expect(artefactKeysOf(newArtefactKey()).sign(payload)).not.toBe(artefactKeysOf(text).sign(payload));
  });

  it('is published without its private half, whatever else stands in the file', () => {
    const text = JSON.stringify({ ...JSON.parse(newArtefactKey()), note: 'mine', key_ops: ['sign'] });
    const { d } = JSON.parse(text);
    const { jwks } = artefactKeysOf(text);
    expect(Object.keys(jwks.keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    expect(JSON.stringify(jwks)).not.toContain(d);
  });

  it('may be one of any other maker, with or without a name', async () => {
    const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
    const jwk = await exportJWK(privateKey);
    expect(artefactKeysOf(JSON.stringify(jwk)).jwks.keys[0]?.kid).toMatch(/^[\w-]{43}$/);
    expect(artefactKeysOf(JSON.stringify({ ...jwk, kid: '2026-11' })).jwks.keys[0]?.kid).toBe('2026-11');
  });
});

describe('while keys are rotated', () => {
  const [old, next] = [newArtefactKey(), newArtefactKey()];

  it('the first signs and all are published, private or public, so that either process’s artefact verifies with either’s list', async () => {
    const before = artefactKeysOf(JSON.stringify({ keys: [JSON.parse(old), publicHalf(next)] }));
    const after = artefactKeysOf(JSON.stringify({ keys: [JSON.parse(next), JSON.parse(old)] }));
    for (const signing of [before, after]) {
      for (const listing of [before, after]) {
        const jws = signing.sign(payload);
        await expect(compactVerify(jws, createLocalJWKSet(structuredClone(listing.jwks) as never))).resolves.toBeDefined();
      }
    }
    expect(before.sign(payload)).not.toBe(after.sign(payload));
    expect(await importJWK({ ...before.jwks.keys[0] } as never, 'Ed25519')).toBeDefined();
  });
});

describe('what is no artefact key', () => {
  const { d, ...half } = JSON.parse(newArtefactKey());

  it.each<[string, unknown, string]>([
    ['text', 'not json', 'it is not JSON'],
    ['a list', [], 'it must be a private JWK, or `{ "keys": [ … ] }` whose first key is one'],
    ['no key', { keys: [] }, 'it must have 1 to 8 keys'],
    ['too many keys', { keys: Array.from({ length: 9 }, () => half) }, 'it must have 1 to 8 keys'],
    ['a public key alone', half, 'its first key, which signs, must be private: it lacks `d`'],
    ['another curve', { ...half, crv: 'X25519', d }, 'key number 1 is no Ed25519 key in JWK form'],
    ['half a key', { ...half, d: 'AAAA' }, 'key number 1 does not import as an Ed25519 key'],
    ['halves of two keys', { ...half, d, x: JSON.parse(newArtefactKey()).x }, 'key number 1 does not import as an Ed25519 key'],
    [
      'a name that is none',
      { ...half, d, kid: 'a b' },
      'the `kid` of key number 1 must be 1 to 64 letters, digits or marks of `_.:-`, or absent',
    ],
    ['the same key twice', { keys: [{ ...half, d }, half] }, 'two of its keys have one `kid`'],
  ])('%s', (_what, given, why) => {
    const said = refusal(typeof given === 'string' ? given : JSON.stringify(given));
    expect(said).toBe(why);
    expect(said).not.toContain(d);
  });
});
