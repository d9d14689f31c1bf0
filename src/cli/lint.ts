/** `stepwell lint`: what it is called with. What it does is loaded when it is called, as with every verb. */
import { Command } from 'commander';

export interface LintOptions {
  readonly json?: true;
}

export function lintCommand(): Command {
  return new Command('lint')
    .description('Check a policy: prints each problem as file:line:column. Exits 1 when it would not load; warnings alone exit 0.')
    .argument('<policy>', 'a .yaml, .yml or .json policy')
    .option(
      '--json',
      'print one JSON object: { file, policy, revision, errors, warnings, problems, keptFromDevices, deviceArtefactTooLarge }',
    )
    .action(async (path: string, options: LintOptions) => {
      const { lintPolicy } = await import('./lint-policy.ts');
      await lintPolicy(path, options);
    });
}
