/** `stepwell load`: what it is called with. */
import { Command } from 'commander';

export interface LoadOptions {
  readonly json?: true;
}

export function loadCommand(): Command {
  return new Command('load')
    .description(
      'Load profiles, identities, consents and sessions from a file of NDJSON into the store that the environment names ' +
        '(STEPWELL_REDIS_URL, STEPWELL_DATA_DIR), checked against STEPWELL_POLICY. Exits 1 when some lines could not be loaded.',
    )
    .argument('<file>', 'lines of { "kind": "profile" | "identity" | "consent" | "session", … }; - reads standard input')
    .option('--json', 'print one JSON object: { file, lines, loaded, failed, sessions, problems }')
    .action(async (file: string, options: LoadOptions) => {
      const { loadRecords } = await import('./load-records.ts');
      await loadRecords(file, options);
    });
}
