/** `stepwell serve` as a process of its own, until it serves. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { type RunOptions, startStepwell } from './run-stepwell.ts';

export interface Serving extends AsyncDisposable {
  readonly serviceUrl: string;
  readonly managementUrl: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  /** The end of what it has printed. */
  output(): string;
}

const outputCharactersMax = 1_000_000;

export const freePorts = { STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0' } as const;

/** On free ports, unless told otherwise. Rejects with what it printed when it ends before it serves. */
export async function serveStepwell(env: Readonly<Record<string, string>>, options: Omit<RunOptions, 'env'> = {}): Promise<Serving> {
  const child = startStepwell(['serve'], { ...options, env: { ...freePorts, ...env } });
  let output = '';
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const addresses = await new Promise<Pick<Serving, 'serviceUrl' | 'managementUrl'>>((resolve, reject) => {
    const listen = (text: string): void => {
      output = `${output}${text}`.slice(-outputCharactersMax);
      const line = /^\{.*"msg":"serving"\}$/m.exec(output)?.[0];
      if (line !== undefined) resolve(JSON.parse(line));
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', listen);
    void ended.then((code) => reject(new Error(`ended with ${code} before it served:\n${output}`)));
  });
  return {
    ...addresses,
    child,
    ended,
    output: () => output,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) child.kill('SIGKILL');
      await ended;
    },
  };
}
