/** Where the key of artefacts comes from: the data directory, or the operator's file, which is read again when asked to. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { artefactKeysOf, newArtefactKey } from '../../src/identity/artefact-keys.ts';
import { openArtefactKeys } from '../../src/start/artefact-key-file.ts';
import { CannotRun } from '../../src/start/cannot-run.ts';

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'stepwell-artefact-key-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const said: string[] = [];
const parts = { warn: (sentence: string) => void said.push(sentence), inform: (sentence: string) => void said.push(sentence) };
const kidOf = (text: string) => artefactKeysOf(text).jwks.keys[0]?.kid;

describe('without configuration', () => {
  it('a key is made once, kept for its owner alone, and is the same at the next start', async () => {
    const dataDir = join(directory(), 'data');
    const first = (await openArtefactKeys({ artefactKeyPath: null, dataDir }, parts)).current();
    const path = join(dataDir, 'artefact-key.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const again = await openArtefactKeys({ artefactKeyPath: null, dataDir }, parts);
    await again.reload();
    expect(again.current().jwks).toEqual(first.jwks);
    expect(JSON.stringify(first.jwks)).not.toContain(JSON.parse(readFileSync(path, 'utf8')).d);
  });

  it('a kept key that is damaged stops the start, with what to do', async () => {
    const dataDir = directory();
    chmodSync(dataDir, 0o700);
    writeFileSync(join(dataDir, 'artefact-key.json'), '{"kty":"OKP"}');
    const opening = openArtefactKeys({ artefactKeyPath: null, dataDir }, parts);
    await expect(opening).rejects.toThrow(CannotRun);
    await expect(opening).rejects.toThrow(/is damaged: delete it, and a new one is made$/);
  });
});

describe('a file of the operator', () => {
  it('is read again when asked to, and replaces nothing when it is not fit for use', async () => {
    const path = join(directory(), 'key.json');
    const [old, next] = [newArtefactKey(), newArtefactKey()];
    writeFileSync(path, old);
    const file = await openArtefactKeys({ artefactKeyPath: path, dataDir: '' }, parts);
    said.length = 0;
    await file.reload();
    expect(said).toEqual([]);
    writeFileSync(path, JSON.stringify({ keys: [JSON.parse(next), JSON.parse(old)] }));
    await file.reload();
    expect([file.current().jwks.keys.map(({ kid }) => kid), said]).toEqual([
      [kidOf(next), kidOf(old)],
      ['STEPWELL_ARTEFACT_KEY: the keys have changed'],
    ]);
    const inForce = file.current();
    writeFileSync(path, '{}');
    await file.reload();
    rmSync(path);
    await file.reload();
    expect(file.current()).toBe(inForce);
    expect(said.slice(1)).toEqual([
      `STEPWELL_ARTEFACT_KEY: \`${path}\`: key number 1 is no Ed25519 key in JWK form; the keys that were in force stay so`,
      `STEPWELL_ARTEFACT_KEY: \`${path}\` cannot be read: there is no such file; the keys that were in force stay so`,
    ]);
  });

  it.each([
    ['is missing', null, /cannot be read: there is no such file$/],
    ['is too large', ' '.repeat(65_537), /is larger than 65536 characters$/],
    ['is none', '[]', /it must be a private JWK/],
  ])('that %s stops the start', async (_what, text, sentence) => {
    const path = join(directory(), 'key.json');
    if (text !== null) writeFileSync(path, text);
    const opening = openArtefactKeys({ artefactKeyPath: path, dataDir: '' }, parts);
    await expect(opening).rejects.toThrow(CannotRun);
    await expect(opening).rejects.toThrow(sentence);
  });
});
