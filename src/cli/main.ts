/**
 * The `stepwell` command: its verbs, and how each ends. 0: all is well. 1: it ran and found problems. 2: it could not run, or was
 * called wrongly.
 */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import { auditCommand } from './audit.ts';
import { cacheReportCommand } from './cache-report.ts';
import { fallbacksCommand } from './fallbacks.ts';
import { lintCommand } from './lint.ts';
import { loadCommand } from './load.ts';
import { serveCommand } from './serve.ts';
import { tokenCommand } from './token.ts';

const program = new Command('stepwell')
  .description('Decides what goes into each zone of a page, before the deadline, with something the business approved.')
  .helpCommand(false)
  .showHelpAfterError('(run with --help for usage)')
  .exitOverride();

for (const command of [
  serveCommand(),
  loadCommand(),
  lintCommand(),
  tokenCommand(),
  auditCommand(),
  cacheReportCommand(),
  fallbacksCommand(),
]) {
  program.addCommand(command.exitOverride().showHelpAfterError('(run with --help for usage)'));
}

// A reader such as `head` may leave before all is said: that is no fault of ours, and there is nobody left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`stepwell: standard output cannot be written: ${systemSentence(error)}\n`);
  process.exit(2);
});
// Nobody hears of the mistakes any more; the work itself, its result and its exit code stand, unless what was to be said is lost.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.exitCode = 2;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  // Help and version are errors to commander, and not to anybody else; what is wrong it has already said.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ConfigError || error instanceof CannotRun) {
    process.stderr.write(`stepwell: ${error.message}\n`);
    return 2;
  }
  throw error;
}
