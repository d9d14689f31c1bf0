/** Opens the record of all writes where the config says: a file, standard output, or nowhere. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { auditWords, type Config } from '../config.ts';
import { type Append, type AuditLog, appendTo, createAuditLog } from '../files/audit-log.ts';
import { makeDataDirectory } from '../files/data-directory.ts';
import type { Clock } from '../time/clock.ts';

const retryMs = 1_000;
const fileName = 'audit.ndjson';

export interface AuditOpening {
  readonly clock: Pick<Clock, 'after'>;
  readonly logger: { readonly error: Say; readonly info: Say };
}

type Say = (fields: object, sentence: string) => void;

/** Null where nothing is recorded. A file that cannot be written is no reason not to serve: that is told, loudly. */
export function openAudit({ auditLog, dataDir }: Pick<Config, 'auditLog' | 'dataDir'>, { clock, logger }: AuditOpening): AuditLog | null {
  if (auditLog === auditWords.off) return null;
  return createAuditLog({
    process: randomUUID().slice(0, 8),
    append: auditLog === auditWords.toStandardOutput ? toStandardOutput : inFile(auditLog, dataDir),
    later: (callback) => clock.after(retryMs, callback),
    onTrouble(error) {
      if (error === null) logger.info({}, 'the audit log is written again');
      else logger.error({ err: error }, 'the audit log cannot be written: lines wait, and beyond a number they are lost and counted');
    },
  });
}

function inFile(path: string | null, dataDir: string): Append {
  if (path !== null) return appendTo(path);
  const append = appendTo(join(dataDir, fileName));
  // Whoever uses Redis may not have one yet. Where it cannot be made, the first line that cannot be written tells so.
  try {
    makeDataDirectory(dataDir);
  } catch {}
  return async (text) => {
    try {
      await append(text);
    } catch (error) {
      if (!isMissing(error)) throw error;
      makeDataDirectory(dataDir);
      await append(text);
    }
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function toStandardOutput(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
