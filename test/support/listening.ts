/** Waits for a program to serve. */
import type { ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const lookAgainAfterMs = 20;
const saidCharactersMax = 10_000;

/** Until somebody on this machine can connect to the port. Throws with what the program said when it ended, or never was. */
export async function untilItListens(child: ChildProcess, port: number): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => {
      said = `${said}${piece}`.slice(-saidCharactersMax);
    });
  let failed: Error | null = null;
  child.once('error', (error) => {
    failed = error;
  });
  while (!(await accepts(port))) {
    if (failed !== null) throw failed;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnfile} did not start:\n${said}`);
    await pause(lookAgainAfterMs);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
