/** The audit log as a file: in order, chained, whole over trouble, and counting what it had to let go of. */
import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { AppendStopped, type AuditEntry, appendTo, createAuditLog, createChainCheck, waitingLinesMax } from '../../src/files/audit-log.ts';

const entry: AuditEntry = {
  atMs: Date.UTC(2026, 10, 21, 12),
  requestId: '01M7',
  keyId: 'crm',
  action: 'PUT /v1/profiles/:subject',
  outcome: 'done',
  count: 1,
};

/** A log whose disk can be filled and whose next try comes when told to. */
function logWith(append: (text: string) => Promise<void>) {
  const troubles: (string | null)[] = [];
  let next: (() => void) | null = null;
  const log = createAuditLog({
    process: 'p1',
    append,
    onTrouble: (error) => void troubles.push(error === null ? null : 'trouble'),
    later(callback) {
      next = callback;
      return () => {
        next = null;
      };
    },
  });
  return { log, troubles, tryAgain: () => next?.(), isWaiting: () => next !== null };
}

/** The numbers of the lines that do not follow the one before, counted from one. */
function brokenLines(text: string): readonly number[] {
  const follows = createChainCheck();
  return text.split('\n').flatMap((line, index) => (line === '' || follows(line) ? [] : [index + 1]));
}

async function newFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stepwell-audit-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'audit.ndjson');
}

it('is a line for each write, in order, that only its owner may read', async () => {
  const path = await newFile();
  const { log } = logWith(appendTo(path));
  for (let count = 1; count <= 100; count += 1) log.tell({ ...entry, count });
  await log.flush();
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).count)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2026-11-21T12:00:00.000Z',
    process: 'p1',
    sequence: 1,
    requestId: '01M7',
    keyId: 'crm',
    action: 'PUT /v1/profiles/:subject',
    outcome: 'done',
    count: 1,
    previous: '0'.repeat(64),
  });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

it('is added to, never begun anew, also by several processes at once', async () => {
  const path = await newFile();
  await writeFile(path, '{"process":"p0","sequence":7,"previous":"x"}\n');
  const logs = ['p1', 'p2'].map((process) => createAuditLog({ process, append: appendTo(path), onTrouble() {}, later: () => () => {} }));
  for (let turn = 0; turn < 50; turn += 1) for (const log of logs) log.tell(entry);
  await Promise.all(logs.map((log) => log.flush()));
  const text = await readFile(path, 'utf8');
  expect(text.split('\n')).toHaveLength(102);
  expect(brokenLines(text)).toEqual([]);
});

it('shows where a line was changed, taken out or put in', async () => {
  const path = await newFile();
  const { log } = logWith(appendTo(path));
  for (let count = 1; count <= 5; count += 1) log.tell({ ...entry, count });
  await log.flush();
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(brokenLines(lines.join('\n'))).toEqual([]);
  expect(brokenLines(lines.with(2, (lines[2] ?? '').replace('"done"', '"refused"')).join('\n'))).toEqual([4]);
  expect(brokenLines(lines.toSpliced(2, 1).join('\n'))).toEqual([3]);
  expect(brokenLines(lines.toSpliced(2, 0, lines[1] ?? '').join('\n'))).toEqual([3]);
  expect(brokenLines(lines.toSpliced(2, 0, 'rubbish').join('\n'))).toEqual([3]);
});

it('goes on after the last whole line where the disk was full in the middle of many, so that none stands twice', async () => {
  const path = await newFile();
  const append = appendTo(path);
  let roomIn = (text: string): number => text.length;
  const { log, troubles, tryAgain } = logWith(async (text) => {
    const fits = text.slice(0, roomIn(text));
    await append(fits);
    if (fits !== text) throw new AppendStopped(fits.length, new Error('ENOSPC'));
  });
  const endOf = (text: string, line: number): number => text.trim().split('\n', line).join('\n').length + text.indexOf('{');
  const rooms: (typeof roomIn)[] = [
    // Two lines and some of the next.
    (text) => endOf(text, 2) + 20,
    // A line with its end, and one without.
    (text) => endOf(text, 1) + 1,
    (text) => endOf(text, 2),
    // Nothing but the end of what is there.
    () => 1,
    (text) => text.length - 1,
    (text) => text.length,
  ];
  for (const room of rooms) {
    roomIn = room;
    for (let count = 1; count <= 4; count += 1) log.tell({ ...entry, count });
    tryAgain();
    await log.flush();
  }
  const text = await readFile(path, 'utf8');
  const whole = text.split('\n').filter((line) => line.endsWith('}'));
  expect(whole.map((line) => JSON.parse(line).sequence)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
  expect(brokenLines(whole.join('\n'))).toEqual([]);
  expect(troubles).toEqual(['trouble', null]);
  // The beginning of a line is there for whoever looks, and is told of as what it is.
  expect(brokenLines(text)).toHaveLength(1);
});

it('knows how much of a text a file took that may not grow any further', async () => {
  const path = await newFile();
  const program = `
    import { appendTo } from ${JSON.stringify(pathToFileURL('src/files/audit-log.ts').href)};
    await appendTo(${JSON.stringify(path)})('x'.repeat(3000)).catch(({ name, bytesWritten, cause }) => console.log(name, bytesWritten, cause.code));
  `;
  const limited = ['-c', 'ulimit -f 1; exec "$0" --input-type=module -e "$1"', process.execPath, program];
  const { stdout } = await promisify(execFile)('bash', limited);
  expect([stdout.trim(), (await stat(path)).size]).toEqual(['AppendStopped 1024 EFBIG', 1024]);
});

it('keeps lines while the disk is full, says so once, and writes them when there is room, in one chain', async () => {
  const path = await newFile();
  let isFull = true;
  const { log, troubles, tryAgain } = logWith(async (text) => {
    if (isFull) {
      // Half a line fits.
      await appendFile(path, text.trimStart().slice(0, 20));
      throw new Error('ENOSPC');
    }
    await appendFile(path, text);
  });
  for (let count = 1; count <= 3; count += 1) log.tell({ ...entry, count });
  await log.flush();
  await log.flush();
  expect(troubles).toEqual(['trouble']);
  expect(log.waiting).toBe(3);
  isFull = false;
  tryAgain();
  log.tell({ ...entry, count: 4 });
  await log.flush();
  expect(troubles).toEqual(['trouble', null]);
  const text = await readFile(path, 'utf8');
  const whole = text.split('\n').filter((line) => line.endsWith('}'));
  expect(whole.map((line) => JSON.parse(line).count)).toEqual([1, 2, 3, 4]);
  expect(brokenLines(whole.join('\n'))).toEqual([]);
  expect([log.waiting, log.lost]).toEqual([0, 0]);
});

it('counts what it can keep no longer, and says how many in the next line', async () => {
  const written: string[] = [];
  let isFull = true;
  const { log, tryAgain } = logWith(async (text) => {
    if (isFull) throw new Error('ENOSPC');
    written.push(text);
  });
  log.tell(entry);
  await log.flush();
  for (let told = 1; told < waitingLinesMax + 7; told += 1) log.tell(entry);
  expect(log.lost).toBe(7);
  isFull = false;
  tryAgain();
  await log.flush();
  log.tell(entry);
  await log.flush();
  const lines = written.join('').trim().split('\n');
  expect(lines).toHaveLength(waitingLinesMax + 1);
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ lost: 7, sequence: waitingLinesMax + 1 });
  expect(brokenLines(lines.join('\n'))).toEqual([]);
});

it('gives up its tries when it is told that it ends', async () => {
  const { log, isWaiting } = logWith(async () => Promise.reject(new Error('EIO')));
  log.tell(entry);
  await log.flush();
  expect(isWaiting()).toBe(true);
  log.dispose();
  expect(isWaiting()).toBe(false);
});
