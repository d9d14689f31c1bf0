/** A policy file that is read again while the service runs. What a whole process does with SIGHUP stands in `main.test.ts`. */
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { managedProcess } from '../../src/http/management.ts';
import { emptyReading } from '../../src/records/reading.ts';
import type { StoreReading } from '../../src/records/store.ts';
import { createPolicyHolder } from '../../src/start/held-policy.ts';
import { createPolicyReloader } from '../../src/start/reload-policy.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { startService } from '../http/service.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

async function reloadable(directory: string, onReplaced?: () => void) {
  const path = join(directory, 'policy.yaml');
  await copyFile('test/http/policy.yaml', path);
  const holder = createPolicyHolder(new VirtualClock());
  await holder.load(path);
  const lines: string[] = [];
  const replaced: string[] = [];
  const at = (level: string) => (_: unknown, text?: string) => void lines.push(`${level} ${text}`);
  const logger = { info: at('info'), warn: at('warn'), error: at('error') } as never;
  const reloader = createPolicyReloader({
    holder,
    path,
    logger,
    onReplaced({ artefact }) {
      replaced.push(artefact.revision);
      onReplaced?.();
    },
  });
  const write = async (change: (text: string) => string) => writeFile(path, change(await readFile('test/http/policy.yaml', 'utf8')));
  return { path, holder, lines, replaced, reloader, write };
}

/** The same policy to a reader, another revision to the service. */
const renewed = (text: string): string => text.replace(/until: 20\d\d/g, 'until: 2091');

test('a request under way keeps the policy it began with, and the next one has the new', async () => {
  await using directory = await temporaryDirectory();
  const { holder, reloader, write } = await reloadable(directory.path);
  const before = holder.current()?.artefact.revision;
  let answer = (_: StoreReading): void => {};
  const asked = Promise.withResolvers<void>();
  const read = () => {
    asked.resolve();
    return new Promise<StoreReading>((resolve) => {
      answer = resolve;
    });
  };
  const service = await startService({ policy: holder, store: { kind: 'embedded', read } as never });
  const payload = { page: 'home', identity: { token: await service.tokenOf('somebody') } };
  const underWay = service.app.inject({ method: 'POST', url: '/v1/decide', payload });
  await asked.promise;
  await write(renewed);
  expect(await reloader.reload()).toBe(true);
  answer(emptyReading);

  expect((await underWay).json().policy).toMatchObject({ revision: before, stale: false });
  const next = await service.app.inject({ method: 'POST', url: '/v1/decide', payload: { page: 'home' } });
  expect(next.json().policy).toEqual({ id: 'retail', revision: holder.current()?.artefact.revision, stale: false });
  expect(holder.current()?.artefact.revision).not.toBe(before);
});

test('a broken or missing file is told at error, leaves the last good one and makes it stale, until a good one loads', async () => {
  await using directory = await temporaryDirectory();
  const { path, holder, lines, replaced, reloader, write } = await reloadable(directory.path);
  const before = holder.current()?.artefact;

  await write((text) => text.replace('stepwell: 1', 'stepwell: 7'));
  expect(await reloader.reload()).toBe(false);
  expect(holder.current()).toMatchObject({ artefact: before, stale: true });
  expect(lines.every((line) => line.startsWith('error '))).toBe(true);
  expect(lines.join('\n')).toMatch(/policy\.yaml:\d+:\d+/);

  await rm(path);
  expect(await reloader.reload()).toBe(false);
  expect(lines.join('\n')).toContain('there is no such file');
  expect(holder.current()).toMatchObject({ artefact: before, stale: true });

  await write((text) => text);
  expect(await reloader.reload()).toBe(true);
  expect(holder.current()).toMatchObject({ artefact: { revision: before?.revision }, stale: false });
  expect(replaced).toEqual([]);
  expect(reloader.loads).toEqual({ in_force: 2, refused: 2 });
});

test('another policy is told of with what it makes others of the answers that caches hold', async () => {
  await using directory = await temporaryDirectory();
  const { path, holder, write } = await reloadable(directory.path);
  const told: unknown[] = [];
  const hear = (fields: object, text?: string) => void (text === 'policy_activated' && told.push({ ...fields }));
  const logger = { info: hear, warn: hear, error: hear } as never;
  const reloader = createPolicyReloader({ holder, path, logger, onReplaced: () => {} });
  const purgeShown = async () =>
    await managedProcess({ ...(await startService()).parts, policy: holder, storeWatch: { look: async () => ({}) } as never }).status();
  const revisions = [holder.current()?.artefact.revision];
  expect(await purgeShown()).toMatchObject({ policy: { purge: null } });
  for (const change of [renewed, (text: string) => renewed(text).replace('New season', 'Newer season')]) {
    await write(change);
    await reloader.reload();
    revisions.push(holder.current()?.artefact.revision);
  }
  expect(told).toEqual([
    { policy: 'retail', revision: revisions[1], replaced: revisions[0], purge: [] },
    { policy: 'retail', revision: revisions[2], replaced: revisions[1], purge: ['stepwell-artefact', 'zone-hero'] },
  ]);
  // The same file again changes nothing of that.
  await reloader.reload();
  expect(told.length).toBe(2);
  expect(await purgeShown()).toMatchObject({ policy: { purge: ['stepwell-artefact', 'zone-hero'] } });
});

test('reloads asked for at once are done one after the other, so that the last file read is the one in force', async () => {
  await using directory = await temporaryDirectory();
  const { holder, replaced, reloader, write } = await reloadable(directory.path);
  await write((text) => text.replace('stepwell: 1', 'stepwell: 7'));
  const bad = reloader.reload();
  const good = bad.then(() => write(renewed)).then(() => reloader.reload());
  expect([await bad, await good, await reloader.reload()]).toEqual([false, true, true]);
  expect(holder.current()?.stale).toBe(false);
  expect(replaced).toHaveLength(1);
});

test('a fault in one reload is told, rejects nothing, and the next reload is as good as ever', async () => {
  await using directory = await temporaryDirectory();
  let faults = 1;
  const { holder, lines, reloader, write } = await reloadable(directory.path, () => {
    if (faults-- > 0) throw new Error('planted');
  });
  await write(renewed);
  expect(await reloader.reload()).toBe(false);
  expect(lines.filter((line) => line.startsWith('error'))).toEqual([expect.stringContaining('went wrong')]);
  await write((text) => text.replace(/until: 20\d\d/g, 'until: 2092'));
  const before = holder.current()?.artefact.revision;
  expect(await reloader.reload()).toBe(true);
  expect(holder.current()?.artefact.revision).not.toBe(before);
});
