/** `stepwell audit`: whether a record of writes is whole. */
import { Command } from 'commander';

export interface AuditOptions {
  readonly json?: true;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'Check the record of writes that a service keeps: every line follows the one before it in its chain. Names each line where a chain ' +
        'is broken, because one was changed, put in or taken out there, or was written by half. Exits 1 when any is.',
    )
    .argument('<file>', 'a file of the audit log, such as .stepwell/audit.ndjson')
    .option('--json', 'print one JSON object: { file, lines, broken }')
    .action(async (file: string, options: AuditOptions) => {
      const { checkAudit } = await import('./check-audit.ts');
      await checkAudit(file, options);
    });
}
