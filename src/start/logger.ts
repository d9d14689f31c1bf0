/** The service's logger. Whoever logs an error may do so whole: what is written of it is its name, its code and its place in our code. */
import { type DestinationStream, type Logger, pino } from 'pino';
import type { LogLevel } from '../config.ts';
import { errorFields } from '../telemetry/error-fields.ts';

/** To standard error: standard output is for people. */
const standardError = 2;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Which of several processes writes; null where there is one. */
  readonly pid?: number | null;
  /** Instead of standard error. */
  readonly destination?: DestinationStream;
}

export function createLogger({ level, pid = null, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: pid === null ? null : { pid },
      serializers: { err: errorFields },
      hooks: {
        // An error without a sentence of ours would lend the line its own.
        logMethod(given, method) {
          const [first, ...rest] = given as readonly unknown[] as readonly [unknown, ...(readonly unknown[])];
          const fields = first instanceof Error ? { err: first } : first;
          if (hasError(fields) && rest.length === 0) method.apply(this, [fields, 'a fault'] as never);
          else method.apply(this, [fields, ...rest] as never);
        },
      },
    },
    destination ?? pino.destination({ dest: standardError, sync: false }),
  );
}

function hasError(fields: unknown): fields is { readonly err: unknown } {
  return typeof fields === 'object' && fields !== null && 'err' in fields;
}
