// What somebody would try whose code runs in the service: prints what came of it, in the process itself and in a thread.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const ownCode = fileURLToPath(import.meta.url);
const outcomes = {
  readElsewhere: outcomeOf(() => readFileSync('/etc/hostname')),
  writeElsewhere: outcomeOf(writeSomewhere),
  startProgram: outcomeOf(() => {
    const { error } = spawnSync(process.execPath, ['--version']);
    if (error !== undefined) throw error;
  }),
  writeOwnCode: outcomeOf(() => writeFileSync(ownCode, readFileSync(ownCode))),
  proto: '__proto__' in {} ? 'there' : 'absent',
};

if (isMainThread) new Worker(ownCode).once('message', (thread) => console.log(JSON.stringify({ process: outcomes, thread })));
else parentPort.postMessage(outcomes);

function writeSomewhere() {
  rmSync(mkdtempSync(join(tmpdir(), 'stepwell-attempt-')), { recursive: true });
}

function outcomeOf(attempt) {
  try {
    attempt();
    return 'done';
  } catch (error) {
    return error.code === 'ERR_ACCESS_DENIED' ? 'denied' : String(error);
  }
}
