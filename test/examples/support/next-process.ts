/** The Next.js example, built as it would be deployed, and served by Next's own server. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { needPackage } from '../../support/packages.ts';
import { freePort } from '../../support/redis-server.ts';
import type { Renderer } from './renderer-claims.ts';

const folder = 'examples/next';
let built: Promise<void> | null = null;

/** Once for a whole suite. */
function build(): Promise<void> {
  built ??= (async () => {
    const { exited, said } = run(['build'], {});
    if ((await exited) !== 0) throw new Error(`the page cannot be built:\n${said()}`);
  })();
  return built;
}

export async function startNext(stepwellUrl: string, budgetMs: number): Promise<Renderer> {
  await build();
  const port = await freePort();
  const { child, exited, said } = run(['start', '-H', '127.0.0.1', '-p', String(port)], {
    STEPWELL_URL: stepwellUrl,
    BUDGET_MS: String(budgetMs),
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', () => said().includes('Ready in') && resolve());
    void exited.then(() => reject(new Error(`the page is not served:\n${said()}`)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  return { url: `http://127.0.0.1:${port}`, stop };
}

interface Run {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  said(): string;
}

function run(parameters: readonly string[], environment: Readonly<Record<string, string>>): Run {
  needPackage(folder);
  const program = createRequire(join(process.cwd(), folder, 'package.json')).resolve('next/dist/bin/next');
  const env = { ...process.env, NODE_ENV: 'production' as const, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', ...environment };
  const child = spawn(process.execPath, [program, ...parameters], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
  }
  const killWithUs = () => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      process.off('exit', killWithUs);
      resolve(code);
    });
  });
  return { child, exited, said: () => text.slice(-10_000) };
}
