/** Who may look into what is kept on disk. Under a umask that would let everybody, so that it cannot be what keeps them out. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { makeDataDirectory } from '../../src/files/data-directory.ts';
import { keptText } from '../../src/files/kept-text.ts';
import { createDemoIssuer } from '../../src/identity/mint.ts';
import { sessionSecretOf } from '../../src/start/session-secret.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

let before = 0;
beforeEach(() => {
  before = process.umask(0);
});
afterEach(() => void process.umask(before));

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

async function openAndClose(directory: string): Promise<void> {
  const store = openEmbeddedStore({ directory, clock: new VirtualClock() });
  await store.putProfile('anna', { attributes: {}, audiences: [] }, 60);
  await store.close();
}

describe('the data directory', () => {
  const makers = {
    'the demo issuer': createDemoIssuer,
    'the session secret': (directory: string) => sessionSecretOf(null, directory),
    'the embedded store': openAndClose,
  };

  test.each(Object.entries(makers))('is its owner’s alone when %s makes it, and so is every file', async (_, make) => {
    await using parent = await temporaryDirectory();
    const directory = join(parent.path, 'above', 'data');
    await make(directory);
    expect(modeOf(directory)).toBe('700');
    const files = readdirSync(directory);
    expect(files).not.toEqual([]);
    expect(files.map((name) => `${name} ${modeOf(join(directory, name))}`)).toEqual(files.map((name) => `${name} 600`));
  });

  test('is closed where an earlier start left it open, with the store in it, and keeps what it holds', async () => {
    await using parent = await temporaryDirectory();
    const directory = join(parent.path, 'data');
    mkdirSync(directory, 0o755);
    for (const name of ['store.mdb', 'store.mdb-lock']) writeFileSync(join(directory, name), '', { mode: 0o644 });
    writeFileSync(join(directory, 'session-secret'), 'kept', { mode: 0o600 });
    await openAndClose(directory);
    expect([directory, join(directory, 'store.mdb'), join(directory, 'store.mdb-lock')].map(modeOf)).toEqual(['700', '600', '600']);
    expect(await readFile(join(directory, 'session-secret'), 'utf8')).toBe('kept');
  });

  test('that holds anybody else’s files is left as open as it is, and what is made in it is not', async () => {
    await using parent = await temporaryDirectory();
    const directory = join(parent.path, 'home');
    mkdirSync(directory, 0o755);
    writeFileSync(join(directory, 'letter.txt'), '');
    await openAndClose(directory);
    await createDemoIssuer(directory);
    expect([directory, join(directory, 'store.mdb'), join(directory, 'demo-issuer.json')].map(modeOf)).toEqual(['755', '600', '600']);
  });

  test('can be one that its own umask would have shut', async () => {
    await using parent = await temporaryDirectory();
    process.umask(0o777);
    makeDataDirectory(join(parent.path, 'data'));
    expect(modeOf(join(parent.path, 'data'))).toBe('700');
  });

  test.each([
    ['a file', 'EEXIST', (parent: string) => join(parent, 'file')],
    ['below a file', 'ENOTDIR', (parent: string) => join(parent, 'file', 'data')],
  ])('cannot be %s', async (_, code, pathIn) => {
    await using parent = await temporaryDirectory();
    writeFileSync(join(parent.path, 'file'), '');
    expect(() => makeDataDirectory(pathIn(parent.path))).toThrow(expect.objectContaining({ code }));
  });

  test.runIf(process.platform === 'linux')('cannot be where a file system takes none, and that is said at once', () => {
    expect(() => makeDataDirectory('/proc/nope/data')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

describe('a kept text', () => {
  test('is what was made first, for everybody who asks at once and after', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'text');
    const texts = await Promise.all(Array.from({ length: 8 }, (_, index) => keptText(path, () => `${index}`)));
    expect(new Set([...texts, await keptText(path, () => 'late')]).size).toBe(1);
    expect(readdirSync(directory.path)).toEqual(['text']);
  });
});
