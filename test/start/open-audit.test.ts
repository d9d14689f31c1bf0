/** Where the record of all writes is kept, and what opening it does to the directory it lies in. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { AuditLog } from '../../src/files/audit-log.ts';
import { openAudit } from '../../src/start/open-audit.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

async function opened(nameOfDirectory: string) {
  const home = await mkdtemp(join(tmpdir(), 'stepwell-audit-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await writeFile(join(home, 'a-file'), '');
  const said: string[] = [];
  const say = (_fields: object, sentence: string) => void said.push(sentence);
  const dataDir = join(home, nameOfDirectory);
  const audit = openAudit({ auditLog: null, dataDir }, { clock: new VirtualClock(), logger: { error: say, info: say } });
  if (audit === null) throw new Error('it is not off');
  return { audit, dataDir, said };
}

async function write(audit: AuditLog): Promise<void> {
  audit.tell({ atMs: 0, requestId: null, keyId: null, action: 'load', outcome: 'done', count: 1 });
  await audit.flush();
}

const linesIn = async (directory: string) => (await readFile(join(directory, 'audit.ndjson'), 'utf8')).split('\n').length - 1;
const modeOf = async (directory: string) => (await stat(directory)).mode & 0o777;

it('makes the data directory, closed to others, before there is any line', async () => {
  const { audit, dataDir } = await opened('data');
  expect(await modeOf(dataDir)).toBe(0o700);
  await write(audit);
  expect(await linesIn(dataDir)).toBe(1);
});

it('leaves the directory alone from then on, however many lines come', async () => {
  const { audit, dataDir } = await opened('data');
  await chmod(dataDir, 0o755);
  await write(audit);
  await write(audit);
  expect([await modeOf(dataDir), await linesIn(dataDir)]).toEqual([0o755, 2]);
});

it('makes it again where somebody has taken it away, and loses no line', async () => {
  const { audit, dataDir, said } = await opened('data');
  await rm(dataDir, { recursive: true });
  await write(audit);
  expect([await modeOf(dataDir), await linesIn(dataDir), said]).toEqual([0o700, 1, []]);
});

it('is opened where the directory cannot be made, tells of it with the first line, and keeps that', async () => {
  const { audit, said } = await opened('a-file/data');
  expect(said).toEqual([]);
  await write(audit);
  expect(said).toEqual([expect.stringContaining('the audit log cannot be written')]);
  expect(audit.waiting).toBe(1);
  audit.dispose();
});
