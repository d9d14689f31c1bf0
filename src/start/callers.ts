/** All that is to be known about who may call, opened as the config says: keys, pages, certificates, the shared board and the audit log. */
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { ApiKeys } from '../contract/key-scopes.ts';
import type { AuditLog } from '../files/audit-log.ts';
import type { RateBoard } from '../records/rate-board.ts';
import type { Clock } from '../time/clock.ts';
import { openKeyRing } from './key-ring.ts';
import { openAudit } from './open-audit.ts';
import type { TlsFiles } from './tls.ts';

export interface Callers {
  readonly apiKeys: ApiKeys | null;
  readonly corsOrigins: readonly string[];
  readonly tls: TlsFiles | null;
  readonly audit: AuditLog | null;
  readonly openRateBoard: (() => Promise<RateBoard>) | null;
}

export interface OpenedCallers extends AsyncDisposable {
  readonly parts: Callers;
  /** The keys' file and the certificates once more. Bad ones replace nothing. */
  reload(): Promise<void>;
  /** Where new certificates go. */
  toldTo(renew: (tls: TlsFiles) => void): void;
}

/** What a process said of its keys counts for as long as the share that follows from it. */
const heardForMs = 3_000;

export async function openCallers(config: Config, parts: { readonly clock: Clock; readonly logger: Logger }): Promise<OpenedCallers> {
  const { logger } = parts;
  const readTls = async () => (config.tls === null ? null : await (await import('./tls.ts')).readTls(config.tls));
  const tls = await readTls();
  const ring = config.apiKeysPath === null ? null : await openKeyRing({ path: config.apiKeysPath, ...parts });
  const audit = openAudit(config, parts);
  let renew: (tls: TlsFiles) => void = () => {};

  async function renewTls(): Promise<void> {
    if (tls === null) return;
    try {
      renew((await readTls()) ?? tls);
      logger.info({}, 'the certificates were read again');
    } catch (error) {
      logger.error({}, `${error instanceof Error ? error.message : 'the certificates cannot be read'}; those in force stay so`);
    }
  }

  return {
    parts: { apiKeys: ring?.current ?? null, corsOrigins: config.corsOrigins, tls, audit, openRateBoard: boardOf(config) },
    async reload() {
      await Promise.all([ring?.reload(), renewTls()]);
    },
    toldTo(given) {
      renew = given;
    },
    async [Symbol.asyncDispose]() {
      ring?.dispose();
      await audit?.flush();
      audit?.dispose();
    },
  };
}

function boardOf({ redisUrl: url }: Config): Callers['openRateBoard'] {
  if (url === null) return null;
  return async () => (await import('../redis/rate-board.ts')).openRateBoard({ url, heardForMs });
}
