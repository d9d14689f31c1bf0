/**
 * Writes a file of records, one JSON object a line, into the store that the environment names. A bad line is
 * reported with its number and the others still load. Nothing that stood in a line is ever printed.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Config, readConfig } from '../config.ts';
import type { Artefact } from '../decision/artefact.ts';
import { tellOfSubjects } from '../http/visitor-changes.ts';
import { createSessionIds, type MintedSessionId, type SessionIds, sessionLifeMaxSeconds } from '../identity/session-id.ts';
import { createVisitorNames, type VisitorNames } from '../identity/visitor-token.ts';
import type { Store, StoreWrite } from '../records/store.ts';
import { StoreError } from '../records/store-error.ts';
import { boundedLines, type Line } from '../start/bounded-lines.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import { readDataLine } from '../start/data-line.ts';
import { demoPolicyPath } from '../start/demo-mode.ts';
import { createPolicyHolder } from '../start/held-policy.ts';
import { openAudit } from '../start/open-audit.ts';
import { openStore } from '../start/open-store.ts';
import { startProgress } from '../start/progress.ts';
import { sessionSecretOf } from '../start/session-secret.ts';
import { systemClock } from '../time/clock.ts';
import type { LoadOptions } from './load.ts';
import { foundProblems, printJson } from './outcome.ts';

interface LineProblem {
  readonly line: number;
  readonly message: string;
}

interface NumberedWrite {
  readonly line: number;
  readonly write: StoreWrite;
  readonly minted: MintedSessionId | null;
}

interface Loader {
  readonly artefact: Artefact;
  readonly store: Store;
  readonly sessionIds: SessionIds;
  readonly names: VisitorNames;
  /** Of the batch written last: pages are told while the next is written, and are never more than one behind. */
  told: Promise<void>;
  loaded: number;
  /** Only the first `problemsShownMax` are kept; all are counted. */
  readonly problems: LineProblem[];
  failed: number;
  readonly sessions: { readonly line: number; readonly sessionId: string; readonly expiresAt: string }[];
}

const lineBytesMax = 262_144;
const batchLines = 1000;
const problemsShownMax = 1000;
const connectWaitMs = 2000;

export async function loadRecords(file: string, { json }: LoadOptions): Promise<void> {
  const config = readConfig(process.env);
  const artefact = await artefactOf(config);
  const input = await openInput(file);
  const secret = await sessionSecretOf(config.sessionSecret, config.dataDir);
  const sessionIds = createSessionIds({ secret, clock: systemClock });
  const { store, connected } = await openStore(config, { clock: systemClock });
  await connected(connectWaitMs);
  const loader: Loader = {
    artefact,
    store,
    sessionIds,
    names: createVisitorNames({ secret }),
    told: Promise.resolve(),
    loaded: 0,
    failed: 0,
    problems: [],
    sessions: [],
  };
  let isWhole = false;
  try {
    await store.ping().catch(() => {
      throw new CannotRun('the store does not answer');
    });
    await loadLines(loader, input);
    isWhole = true;
  } finally {
    await loader.told;
    await record(config, loader, isWhole);
    await store.close();
  }
  // What the store refused comes after what did not parse: people read a file from the top.
  loader.problems.sort((a, b) => a.line - b.line);
  if (loader.failed > 0) foundProblems();
  if (json) printReport(file, loader);
  else tellPerson(file, loader);
}

/** What came into the store is recorded also where the rest did not. */
async function record(config: Config, { loaded, failed }: Loader, isWhole: boolean): Promise<void> {
  const say = (_fields: object, sentence: string): void => void process.stderr.write(`stepwell: ${sentence}\n`);
  const audit = openAudit(config, { clock: systemClock, logger: { error: say, info: say } });
  const outcome = isWhole ? (loaded > 0 || failed === 0 ? 'done' : 'refused') : 'failed';
  audit?.tell({ atMs: systemClock.nowMs(), requestId: null, keyId: null, action: 'load', outcome, count: loaded });
  await audit?.flush();
  audit?.dispose();
}

async function artefactOf(config: Config): Promise<Artefact> {
  const path = config.policyPath ?? demoPolicyPath;
  const holder = createPolicyHolder(systemClock);
  await holder.load(path).catch((error) => {
    throw new CannotRun(`STEPWELL_POLICY \`${path}\` cannot be read: ${systemSentence(error)}`);
  });
  const held = holder.current();
  if (held === null) throw new CannotRun(`the policy \`${path}\` does not load; \`stepwell lint ${path}\` says why`);
  return held.artefact;
}

interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly totalBytes: number | null;
}

async function openInput(file: string): Promise<Input> {
  if (file === '-') return { chunks: process.stdin, totalBytes: null };
  try {
    const facts = await stat(file);
    if (facts.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return { chunks: createReadStream(file), totalBytes: facts.size };
  } catch (error) {
    throw new CannotRun(`\`${file}\` cannot be read: ${systemSentence(error)}`);
  }
}

async function loadLines(loader: Loader, { chunks, totalBytes }: Input): Promise<void> {
  const progress = startProgress('loading');
  let readBytes = 0;
  const counted = (async function* () {
    for await (const chunk of chunks) {
      yield chunk;
      readBytes += chunk.length;
      if (totalBytes !== null) progress.reach(readBytes, totalBytes);
    }
  })();
  try {
    let batch: NumberedWrite[] = [];
    for await (const line of boundedLines(counted, lineBytesMax)) {
      const write = writeOf(loader, line);
      if (write !== null) batch.push(write);
      if (batch.length >= batchLines) {
        await writeAll(loader, batch);
        batch = [];
      }
    }
    await writeAll(loader, batch);
  } finally {
    progress.stop();
  }
}

/** Null for a line that is empty or bad. */
function writeOf(loader: Loader, line: Line): NumberedWrite | null {
  if (line.bytes === null) {
    refuse(loader, line.number, `the line is longer than ${lineBytesMax} bytes`);
    return null;
  }
  if (isBlank(line.bytes)) return null;
  const read = readDataLine(line.bytes, { artefact: loader.artefact, nowMs: systemClock.nowMs() });
  switch (read.outcome) {
    case 'bad':
      refuse(loader, line.number, read.why.join('; '));
      return null;
    case 'write':
      return { line: line.number, write: read.write, minted: null };
    case 'session': {
      const minted = loader.sessionIds.mint(sessionLifeMaxSeconds);
      const { session } = read;
      return { line: line.number, write: { kind: 'session', sessionId: minted.id, session, ttlSeconds: sessionLifeMaxSeconds }, minted };
    }
  }
}

/** Spaces, tabs and a carriage return: what JSON would skip. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/** A store refuses a batch whole where one record is out of bounds; then each is tried alone, so that the others still load. */
async function writeAll(loader: Loader, batch: readonly NumberedWrite[]): Promise<void> {
  if (batch.length === 0) return;
  try {
    const outcomes = await loader.store.writeBatch(batch.map(({ write }) => write));
    const changed = batch.flatMap(({ write }, index) => (write.kind === 'consent' && outcomes[index] !== 'erased' ? [write.subject] : []));
    await loader.told;
    loader.told = tellOfSubjects(changed, loader);
    for (const [index, written] of batch.entries()) {
      if (outcomes[index] === 'erased') refuse(loader, written.line, 'the subject was erased: nothing is written until its tombstone ends');
      else if (outcomes[index] === 'too_many_links') refuse(loader, written.line, 'as many identities are linked to the subject as may be');
      else accept(loader, written);
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== 'invalid') throw new CannotRun(`the store stopped answering after ${loader.loaded} records: ${error.message}`);
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) refuse(loader, only.line, error.message);
    else for (const written of batch) await writeAll(loader, [written]);
  }
}

function accept(loader: Loader, { line, minted }: NumberedWrite): void {
  loader.loaded += 1;
  if (minted !== null) {
    loader.sessions.push({ line, sessionId: minted.sessionId, expiresAt: new Date(minted.expiresAtMs).toISOString() });
  }
}

function refuse(loader: Loader, line: number, message: string): void {
  loader.failed += 1;
  if (loader.problems.length < problemsShownMax) loader.problems.push({ line, message });
}

function printReport(file: string, { loaded, failed, sessions, problems }: Loader): void {
  printJson({ file, lines: loaded + failed, loaded, failed, sessions, problems });
}

function tellPerson(file: string, { loaded, failed, sessions, problems }: Loader): void {
  for (const { line, sessionId, expiresAt } of sessions) process.stdout.write(`${file}:${line}: session ${sessionId} until ${expiresAt}\n`);
  for (const { line, message } of problems) process.stderr.write(`${file}:${line}: ${message}\n`);
  if (failed > problems.length) process.stderr.write(`${file}: and ${failed - problems.length} more lines\n`);
  process.stdout.write(`${file}: ${loaded} loaded, ${failed} not\n`);
}
