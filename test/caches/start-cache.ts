/**
 * A real cache for a test: its own process on a free loopback port, with its configuration and all that it writes in a folder that goes
 * with it. It never runs as root: who is root becomes `nobody`. Whoever starts it stops it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { untilItListens } from '../support/listening.ts';
import { findProgram, missingSentence } from '../support/programs.ts';
import { freePort } from '../support/redis-server.ts';
import { cacheProducts, type Manner, type ProductName } from './cache-products.ts';

export interface RunningCache {
  readonly name: ProductName;
  readonly manner: Manner;
  readonly port: number;
  readonly pid: number;
  /** May be called twice. */
  stop(): Promise<void>;
}

const startAttemptsMax = 5;

/** `edit`: of every file of the configuration, by whoever makes it their own. */
export async function startCache(
  name: ProductName,
  manner: Manner,
  originPort: number,
  edit: (text: string) => string = (text) => text,
): Promise<RunningCache> {
  const { program, setUp } = cacheProducts[name];
  const binary = findProgram(program);
  if (binary === null) throw new Error(missingSentence(program));
  for (let attempt = 1; ; attempt += 1) {
    const directory = mkdtempSync(join(tmpdir(), `stepwell-${name}-`));
    const port = await freePort();
    const { files, parameters } = setUp(manner, { directory, port, originPort });
    writeFiles(directory, Object.fromEntries(Object.entries(files).map(([file, text]) => [file, edit(text)])));
    try {
      return { name, manner, port, ...(await launch(binary, parameters, directory, port)) };
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      // Somebody may have taken the free port between our asking for it and the cache's binding it.
      if (attempt === startAttemptsMax) throw error;
    }
  }
}

const everydayFolders = ['etc', 'run', 'log', 'cache', 'share'];

function writeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  const folders = [directory, ...everydayFolders.map((folder) => join(directory, folder))];
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const paths = Object.entries(files).map(([name, text]) => {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  });
  const user = userInsteadOfRoot();
  if (user === null) return;
  for (const path of [...folders, ...paths]) chownSync(path, user.uid, user.gid);
  chmodSync(directory, 0o755);
}

/** Spread into how a process is started. */
export function userInsteadOfRoot(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const idOf = (option: string): number => Number(spawnSync('id', [option, 'nobody'], { encoding: 'utf8' }).stdout);
  return { uid: idOf('-u'), gid: idOf('-g') };
}

const endWithinMs = 3_000;

/** Ended with us where nobody had the time to stop them. */
const running = new Map<ChildProcess, string>();
process.on('exit', () => {
  for (const [child, directory] of running) {
    // Not killed: it has processes of its own to end.
    child.kill('SIGTERM');
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch {
      // It still wrote there.
    }
  }
});

async function launch(binary: string, parameters: readonly string[], directory: string, port: number) {
  const child = spawn(binary, parameters, {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH ?? '', HOME: directory, TMPDIR: directory },
    ...userInsteadOfRoot(),
  });
  running.set(child, directory);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const giveUp = setTimeout(() => child.kill('SIGKILL'), endWithinMs);
    await exited;
    clearTimeout(giveUp);
    running.delete(child);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await untilItListens(child, port);
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid ?? 0, stop };
}
