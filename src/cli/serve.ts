/** `stepwell serve`: the service, in the foreground, until it is told to stop. */
import { Command } from 'commander';
import { readConfig, variables } from '../config.ts';
import { makeDataDirectory } from '../files/data-directory.ts';
import { useCompiledCode } from './compiled-code.js';

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

/** Made before Node makes it, open to everybody. */
function keepCompiledCode(dataDir: string): void {
  try {
    makeDataDirectory(dataDir);
    useCompiledCode(dataDir);
  } catch {
    // Whatever is wrong with the directory, the service itself says it better.
  }
}

function environmentHelp(): string {
  const width = Math.max(...Object.keys(variables).map((name) => name.length));
  return Object.entries(variables)
    .map(([name, help]) => `  ${name.padEnd(width)}  ${help}`)
    .join('\n');
}
