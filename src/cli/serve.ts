/** `stepwell serve`: the service, in the foreground, until it is told to stop. */
import { statSync } from 'node:fs';
import { enableCompileCache, getCompileCacheDir } from 'node:module';
import { join } from 'node:path';
import { Command } from 'commander';
import { readConfig, variables } from '../config.ts';
import { makeDataDirectory } from '../files/data-directory.ts';

export function serveCommand(): Command {
  return new Command('serve')
    .description('Serve decisions. Everything is set by environment variables; with none, the demo runs on an embedded store.')
    .addHelpText(
      'after',
      () => `\nEnvironment:\n${environmentHelp()}\n  OTEL_*  the standard OpenTelemetry variables (absent: nothing is exported)`,
    )
    .action(async () => {
      const config = readConfig(process.env);
      keepCompiledCode(config.dataDir);
      // The service is most of the program, and the other verbs need none of it.
      const { serveUntilStopped } = await import('../main.ts');
      await serveUntilStopped(config);
    });
}

/** What the program's own modules compile to is kept beside its data: the next start is a third shorter. It never fails a start. */
function keepCompiledCode(dataDir: string): void {
  // Whoever names a directory of their own, or wants none, has said so to Node already.
  if (getCompileCacheDir() !== undefined) return;
  try {
    // Before Node makes it, open to everybody: who could write there could have their code run here.
    makeDataDirectory(dataDir);
    if (isClosed(dataDir)) enableCompileCache(join(dataDir, 'compiled-code'));
  } catch {
    // Whatever is wrong with the directory, the service itself says it better.
  }
}

function isClosed(path: string): boolean {
  return process.platform === 'win32' || (statSync(path).mode & 0o022) === 0;
}

function environmentHelp(): string {
  const width = Math.max(...Object.keys(variables).map((name) => name.length));
  return Object.entries(variables)
    .map(([name, help]) => `  ${name.padEnd(width)}  ${help}`)
    .join('\n');
}
