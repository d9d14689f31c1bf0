/** Runs the `stepwell` command as a process of its own, with nothing of this machine's settings but the path. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Arguments of Node itself, which its children do not inherit. */
  readonly nodeArguments?: readonly string[];
  readonly entry?: 'main.ts' | 'stepwell.js';
}

export function startStepwell(
  args: readonly string[],
  { env = {}, nodeArguments = [], entry = 'main.ts' }: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const program = [...nodeArguments, join(root, 'src/cli', entry), ...args];
  return spawn(process.execPath, program, { cwd: root, env: { PATH: process.env.PATH ?? '', NO_COLOR: '1', ...env } });
}

export async function stepwell(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = startStepwell(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'stepwell-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
