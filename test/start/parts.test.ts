/** What the process puts together before it listens, part by part, on a real directory. */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Artefact } from '../../src/decision/artefact.ts';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import type { Store } from '../../src/records/store.ts';
import { readApiKeys } from '../../src/start/api-keys.ts';
import { CannotRun } from '../../src/start/cannot-run.ts';
import { demoPolicyPath, isDemo, loadDemoPeople } from '../../src/start/demo-mode.ts';
import { createPolicyHolder } from '../../src/start/held-policy.ts';
import { openStore } from '../../src/start/open-store.ts';
import { sessionSecretOf } from '../../src/start/session-secret.ts';
import { systemClock } from '../../src/time/clock.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { compiled } from '../http/service.ts';
import { openPatiently } from '../stores/redis-opening.ts';
import { type RunningRedis, startRedis } from '../support/redis-server.ts';

describe('the policy that is held', () => {
  async function demoCopy() {
    const directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await copyFile(demoPolicyPath, path);
    return { directory, path };
  }

  test('is nothing until one has loaded', async () => {
    const { directory, path } = await demoCopy();
    await using _ = directory;
    const holder = createPolicyHolder(systemClock);
    expect(holder.current()).toBeNull();
    await writeFile(path, 'stepwell: 1\n');
    expect(await holder.load(path)).toMatchObject({ inForce: false });
    expect(holder.current()).toBeNull();
  });

  test('stays in force, and says that it is stale, when its successor is broken or gone; and is fresh again when that is mended', async () => {
    const { directory, path } = await demoCopy();
    await using _ = directory;
    const holder = createPolicyHolder(systemClock);
    await holder.load(path);
    const working = holder.current();
    expect(working).toMatchObject({ stale: false, artefact: { policy: 'retail' } });

    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('stepwell: 1', 'stepwell: 7'));
    const broken = await holder.load(path);
    expect(broken.inForce).toBe(false);
    expect(broken.problems.length).toBeGreaterThan(0);
    expect(holder.current()).toMatchObject({ artefact: working?.artefact, stale: true, refused: [expect.stringContaining('stepwell: 1')] });

    await writeFile(path, text);
    await holder.load(path);
    expect(holder.current()).toMatchObject({ stale: false });

    await rm(path);
    await expect(holder.load(path)).rejects.toThrow();
    expect(holder.current()).toMatchObject({ stale: true });
  });
});

describe('the session secret', () => {
  test('is the configured one where there is one, and then nothing is written', async () => {
    await using directory = await temporaryDirectory();
    const dataDir = join(directory.path, 'data');
    expect(await sessionSecretOf('sixteen characters', dataDir)).toEqual(Buffer.from('sixteen characters'));
    await expect(stat(dataDir)).rejects.toThrow();
  });

  test('is otherwise random, the same after a restart, and readable by its owner only', async () => {
    await using one = await temporaryDirectory();
    await using two = await temporaryDirectory();
    const secret = await sessionSecretOf(null, one.path);
    expect(secret.byteLength).toBe(32);
    expect(await sessionSecretOf(null, one.path)).toEqual(secret);
    expect(await sessionSecretOf(null, two.path)).not.toEqual(secret);
    expect((await stat(join(one.path, 'session-secret'))).mode & 0o077).toBe(0);
  });

  test('is one and the same for processes that start at once', async () => {
    await using directory = await temporaryDirectory();
    const secrets = await Promise.all(Array.from({ length: 8 }, () => sessionSecretOf(null, directory.path)));
    expect(new Set(secrets.map((secret) => Buffer.from(secret).toString('hex'))).size).toBe(1);
  });

  test('that is damaged is named by its file, never shown', async () => {
    await using directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'session-secret'), 'hunter2');
    const failure = await sessionSecretOf(null, directory.path).catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(failure.message).toContain('session-secret');
    expect(failure.message).not.toContain('hunter2');
  });
});

describe('API keys', () => {
  const sha256 = 'AB'.repeat(32);

  async function keysFrom(content: unknown) {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'keys.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return await readApiKeys(path);
  }

  test('are read with their hashes in lower case', async () => {
    expect(await keysFrom([{ id: 'edge', sha256, scopes: ['decide'] }])).toEqual([
      { id: 'edge', sha256: sha256.toLowerCase(), scopes: ['decide'] },
    ]);
  });

  test.each<[string, unknown, string]>([
    ['no JSON', 'hunter2', 'a JSON list'],
    ['no list', { id: 'edge' }, 'a JSON list'],
    ['an empty list', [], 'nobody could call'],
    ['a key in the clear', [{ id: 'edge', sha256: 'hunter2', scopes: [] }], 'entry 1: `sha256` is not 64 hex digits'],
    ['an entry that is no object', ['hunter2'], 'entry 1: this is not a key'],
    ['no name', [{ sha256, scopes: [] }], 'entry 1: `id` is missing or empty'],
    ['a blank name', [{ id: ' ', sha256, scopes: [] }], 'entry 1: `id` is missing or empty'],
    ['the hash of an empty key', [{ id: 'edge', sha256: hash('sha256', ''), scopes: [] }], 'entry 1: `sha256` is the hash of an empty key'],
    ['scopes of another type', [{ id: 'edge', sha256, scopes: 'decide' }], 'entry 1: `scopes` is not a list; write some of `decide`'],
    ['no scopes', [{ id: 'edge', sha256 }], 'entry 1: `scopes` is not a list'],
    [
      'a misspelt scope',
      [{ id: 'edge', sha256, scopes: ['decide', 'profile'] }],
      'entry 1: item 2 of `scopes` is no scope; did you mean `profiles`?',
    ],
    [
      'an unknown scope',
      [{ id: 'edge', sha256, scopes: ['hunter2'] }],
      'item 1 of `scopes` is no scope; write some of `decide`, `explain`, `profiles`, `consents`, `erasures`, `admin`',
    ],
    ['a scope that is no text', [{ id: 'edge', sha256, scopes: [7] }], 'item 1 of `scopes` is no scope'],
    [
      'one id twice',
      [
        { id: 'edge', sha256, scopes: [] },
        { id: 'edge', sha256: 'cd'.repeat(32), scopes: [] },
      ],
      'entries 1 and 2 have the same `id`',
    ],
    [
      'one key twice',
      [
        { id: 'a', sha256, scopes: [] },
        { id: 'b', sha256: sha256.toLowerCase(), scopes: [] },
      ],
      'entries 1 and 2 have the same `sha256`',
    ],
  ])('%s is refused with a sentence that does not repeat it', async (_, content, why) => {
    const failure = await keysFrom(content).catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(failure.message).toContain(why);
    expect(failure.message).not.toContain('hunter2');
  });
});

test('every mistake in a file of API keys is told at once', async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'keys.json');
  await writeFile(
    path,
    JSON.stringify([
      { id: '', sha256: 'x', scopes: ['decide'] },
      { id: 'b', sha256: 'ab'.repeat(32), scopes: ['decied'] },
    ]),
  );
  const { message } = await readApiKeys(path).catch((error) => error);
  expect(message).toContain(`STEPWELL_API_KEYS \`${path}\``);
  expect(message.match(/entry \d: \S+/g)).toEqual(['entry 1: `id`', 'entry 1: `sha256`', 'entry 2: item']);
});

describe('the demo', () => {
  test.each([
    [{ policyPath: null, jwksPath: null, jwksUrl: null }, true],
    [{ policyPath: 'shop.yaml', jwksPath: null, jwksUrl: null }, false],
    [{ policyPath: null, jwksPath: 'jwks.json', jwksUrl: null }, false],
    [{ policyPath: null, jwksPath: null, jwksUrl: 'https://id.example/jwks' }, false],
  ])('%j: a development issuer is trusted: %s', (config, expected) => {
    expect(isDemo(config)).toBe(expected);
  });

  function demoArtefact(): Artefact {
    return compiled(demoPolicyPath, systemClock.nowMs());
  }

  function load(store: Store, artefact: Artefact, onProgress: (written: number, total: number) => void = () => {}): Promise<boolean> {
    return loadDemoPeople({ store, artefact, nowMs: systemClock.nowMs(), onProgress });
  }

  test('people are loaded once for each revision, and every progress is within the total', async () => {
    await using directory = await temporaryDirectory();
    const artefact = demoArtefact();
    const store = openEmbeddedStore({ directory: directory.path, clock: systemClock });
    const steps: [number, number][] = [];
    const loadRevision = (revision: string) => load(store, { ...artefact, revision }, (written, total) => steps.push([written, total]));
    try {
      expect(await loadRevision('one')).toBe(true);
      expect(await store.getProfile('demo-ada')).toMatchObject({ attributes: { loyalty: 'gold' } });
      expect(steps.at(-1)?.[0]).toBe(steps.at(-1)?.[1]);
      expect(await loadRevision('one')).toBe(false);
      expect(await loadRevision('two')).toBe(true);
    } finally {
      await store.close();
    }
  });

  async function emptied({ port }: RunningRedis): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    socket.write('FLUSHALL\r\n');
    expect(String(await once(socket, 'data'))).toBe('+OK\r\n');
    socket.destroy();
  }

  test('people are loaded again into a store that was emptied, and into another one, and nowhere twice', async () => {
    const artefact = demoArtefact();
    const [one, two] = await Promise.all([startRedis(), startRedis()]);
    const stores = await Promise.all([openPatiently(one.url), openPatiently(two.url)]);
    try {
      const [first, second] = stores;
      expect(await load(first, artefact)).toBe(true);
      expect(await load(first, artefact)).toBe(false);
      expect(await load(second, artefact)).toBe(true);
      await emptied(one);
      expect(await load(first, artefact)).toBe(true);
      expect(await first.getProfile('demo-ada')).not.toBeNull();
      expect(await load(second, artefact)).toBe(false);
    } finally {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  test('a load that was cut short is begun again', async () => {
    await using directory = await temporaryDirectory();
    const artefact = demoArtefact();
    const store = openEmbeddedStore({ directory: directory.path, clock: systemClock });
    try {
      const cut = load(store, artefact, (written, total) => {
        if (written > total / 2) throw new Error('the process ends here');
      });
      await expect(cut).rejects.toThrow('the process ends here');
      expect(await load(store, artefact)).toBe(true);
    } finally {
      await store.close();
    }
  });
});

describe('the store', () => {
  test('under another key secret is not opened, and the sentence says what to do, and no secret', async () => {
    await using directory = await temporaryDirectory();
    const open = (secret: string) =>
      openStore(readConfig({ STEPWELL_DATA_DIR: directory.path, STEPWELL_KEY_SECRET: secret }), { clock: systemClock });
    await (await open('correct-horse-battery')).store.close();
    const failure: unknown = await open('wrong-horse-battery-s').catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(String(failure)).toMatch(/stored under another key secret: bring back .* or delete `store\.mdb`/);
    expect(String(failure)).not.toContain('horse');
    await (await open('correct-horse-battery')).store.close();
  });
});
