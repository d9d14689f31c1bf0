/** API keys while the service runs, on real files; and the files of TLS. */
import { hash } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { limitedKeysMax } from '../../src/records/rate-board.ts';
import { CannotRun } from '../../src/start/cannot-run.ts';
import { openKeyRing } from '../../src/start/key-ring.ts';
import { readTls } from '../../src/start/tls.ts';
import { systemClock } from '../../src/time/clock.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { throwAwayCertificate } from '../support/certificate.ts';

const entry = (id: string, more: object = {}) => ({ id, sha256: hash('sha256', `key-${id}`), scopes: ['decide'], ...more });

async function ringOf(content: unknown) {
  const directory = await temporaryDirectory();
  onTestFinished(() => directory[Symbol.asyncDispose]());
  const path = join(directory.path, 'keys.json');
  const write = (text: unknown) => writeFile(path, typeof text === 'string' ? text : JSON.stringify(text));
  await write(content);
  const lines: { readonly level: 'info' | 'error'; readonly fields: object; readonly sentence: string }[] = [];
  const waiting: (() => void)[] = [];
  const say = (level: 'info' | 'error') => (fields: object, sentence: string) => {
    lines.push({ level, fields, sentence });
    for (const wake of waiting.splice(0)) wake();
  };
  const logger = { info: say('info'), error: say('error') };
  const ring = await openKeyRing({ path, clock: systemClock, logger: logger as never });
  onTestFinished(() => ring.dispose());
  const said = async (count: number) => {
    while (lines.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const ids = () => ring.current().map(({ id }) => id);
  return { path, write, ring, lines, said, ids };
}

describe('the keys in force', () => {
  test('are those of the file, soon after it was written or another took its place', async () => {
    const { path, write, lines, said, ids } = await ringOf([entry('one')]);
    expect(ids()).toEqual(['one']);
    await write([entry('one'), entry('two')]);
    await said(1);
    expect(ids()).toEqual(['one', 'two']);
    expect(lines[0]).toEqual({ level: 'info', fields: { keys: 2, added: ['two'], removed: [] }, sentence: 'the API keys are in force' });
    await writeFile(`${path}.new`, JSON.stringify([entry('three')]));
    await rename(`${path}.new`, path);
    await said(2);
    expect(ids()).toEqual(['three']);
  });

  test('stay where the file becomes wrong, empty or is gone, which is told once each', async () => {
    const { path, write, ring, lines, ids } = await ringOf([entry('one')]);
    for (const spoil of [() => write('hunter2'), () => write([]), () => write([{ ...entry('x'), scopes: ['nonsense'] }]), () => rm(path)]) {
      const before = lines.length;
      await spoil();
      expect(await ring.reload()).toBe(false);
      expect(await ring.reload()).toBe(false);
      expect(ids()).toEqual(['one']);
      expect(lines).toHaveLength(before + 1);
      expect(lines.at(-1)).toMatchObject({ level: 'error', sentence: expect.stringMatching(/; the keys that were in force stay so$/) });
    }
    await write([entry('two')]);
    expect(await ring.reload()).toBe(true);
    expect(ids()).toEqual(['two']);
    expect(JSON.stringify(lines)).not.toMatch(/hunter2|nonsense/);
  });

  test('are the same list as long as nothing changes', async () => {
    const { write, ring, lines } = await ringOf([entry('one')]);
    const before = ring.current();
    await write([entry('one')]);
    expect(await ring.reload()).toBe(true);
    expect(ring.current()).toBe(before);
    expect(lines).toEqual([]);
  });

  test('carry their bounds', async () => {
    const { ring } = await ringOf([
      entry('page', { publishable: true, requestsPerSecond: 0.5, notAfter: '2027-01-31', note: 'of the shop' }),
      entry('edge', { publishable: false, notAfter: '2027-01-31T12:00:00+01:00' }),
    ]);
    expect(ring.current()).toMatchObject([
      { id: 'page', publishable: true, requestsPerSecond: 0.5, notAfterMs: Date.UTC(2027, 0, 31) },
      { id: 'edge', notAfterMs: Date.UTC(2027, 0, 31, 11) },
    ]);
    expect(ring.current()[1]).not.toHaveProperty('publishable');
  });
});

test.each<[string, object, string]>([
  [
    'a publishable key that may do more',
    { publishable: true, scopes: ['decide', 'explain'] },
    'they may do one thing: write "scopes": ["decide"]',
  ],
  ['a publishable key that may do nothing', { publishable: true, scopes: [] }, 'write "scopes": ["decide"]'],
  ['publishable as a text', { publishable: 'hunter2' }, '`publishable` is neither true nor false'],
  ['no requests at all', { requestsPerSecond: 0 }, '`requestsPerSecond` is not a number above 0'],
  ['a rate as a text', { requestsPerSecond: '10' }, '`requestsPerSecond` is not a number'],
  ['a rate beyond all measure', { requestsPerSecond: 1e9 }, 'up to 1000000'],
  ['no date', { notAfter: 'hunter2' }, '`notAfter` is no date; write one such as "2027-01-31"'],
  ['a day that no calendar has', { notAfter: '2027-02-30' }, '`notAfter` is no date'],
  ['an end as a number', { notAfter: 1_800_000_000 }, '`notAfter` is no date'],
  ['a misspelt bound', { notafter: '2027-01-31' }, 'a member of it means nothing; did you mean `notAfter`?'],
  ['a name without end', { id: 'x'.repeat(129) }, '`id` is longer than 128 characters'],
])('%s is refused with a sentence that does not repeat it', async (_, wrong, why) => {
  const failure = await ringOf([entry('x', wrong)]).catch((error) => error);
  expect(failure).toBeInstanceOf(CannotRun);
  expect(failure.message).toContain('entry 1: ');
  expect(failure.message).toContain(why);
  expect(failure.message).not.toContain('hunter2');
});

test('more keys with a rate than processes can agree on are refused, and as many without one as there are', async () => {
  const many = (limited: number) =>
    Array.from({ length: 400 }, (_, index) => entry(`k${index}`, index < limited ? { requestsPerSecond: 10 } : {}));
  expect((await ringOf(many(limitedKeysMax))).ring.current()).toHaveLength(400);
  const failure = await ringOf(many(limitedKeysMax + 1)).catch((error) => error);
  expect(failure).toBeInstanceOf(CannotRun);
  expect(failure.message).toContain('301 entries have `requestsPerSecond`, and processes keep no more than 300 rates together');
});

describe('the files of TLS', () => {
  const { certificate, key } = throwAwayCertificate();
  const other = throwAwayCertificate();

  async function filesOf(cert: string, privateKey: string, authority?: string) {
    await using directory = await temporaryDirectory();
    const paths = { certificate: join(directory.path, 'c'), key: join(directory.path, 'k'), clientAuthority: join(directory.path, 'a') };
    await writeFile(paths.certificate, cert);
    await writeFile(paths.key, privateKey);
    if (authority !== undefined) await writeFile(paths.clientAuthority, authority);
    return await readTls({ ...paths, clientAuthority: authority === undefined ? null : paths.clientAuthority });
  }

  test('are read whole', async () => {
    expect(await filesOf(certificate, key)).toEqual({ cert: Buffer.from(certificate), key: Buffer.from(key), clientAuthority: null });
    expect((await filesOf(certificate, key, other.certificate)).clientAuthority).toEqual(Buffer.from(other.certificate));
  });

  test.each<[string, readonly [string, string, string?], string]>([
    ['no certificate', ['hunter2', key], 'STEPWELL_TLS_CERT'],
    ['no key', [certificate, 'hunter2'], 'STEPWELL_TLS_KEY'],
    ['the key of another certificate', [certificate, other.key], 'is not the key of the certificate'],
    ['no authority', [certificate, key, 'hunter2'], 'STEPWELL_TLS_CLIENT_CA'],
  ])('are refused with %s, by the name of the variable and without what they hold', async (_, files, why) => {
    const failure = await filesOf(...files).catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(failure.message).toContain(why);
    expect(failure.message).not.toMatch(/hunter2|PRIVATE/);
  });
});
