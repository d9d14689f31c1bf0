/** Reads what the service proves itself with and whom it trusts. Messages name the variable and the path, and hold nothing of a key. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsPaths } from '../config.ts';
import { CannotRun, systemSentence } from './cannot-run.ts';

export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly clientAuthority: Buffer | null;
}

export async function readTls({ certificate, key, clientAuthority }: TlsPaths): Promise<TlsFiles> {
  const files = {
    cert: await read('STEPWELL_TLS_CERT', certificate),
    key: await read('STEPWELL_TLS_KEY', key),
    clientAuthority: clientAuthority === null ? null : await read('STEPWELL_TLS_CLIENT_CA', clientAuthority),
  };
  check('STEPWELL_TLS_CERT', certificate, 'is no certificate in PEM', () => new X509Certificate(files.cert));
  check('STEPWELL_TLS_KEY', key, 'is no private key in PEM without a passphrase', () => createPrivateKey(files.key));
  const { clientAuthority: authority } = files;
  if (authority !== null) {
    check('STEPWELL_TLS_CLIENT_CA', clientAuthority ?? '', 'holds no certificate in PEM', () => new X509Certificate(authority));
  }
  check('STEPWELL_TLS_KEY', key, 'is not the key of the certificate in STEPWELL_TLS_CERT', () =>
    createSecureContext({ cert: files.cert, key: files.key }),
  );
  return files;
}

async function read(variable: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new CannotRun(`${variable} \`${path}\`: ${systemSentence(error)}`);
  }
}

function check(variable: string, path: string, why: string, use: () => unknown): void {
  try {
    use();
  } catch {
    throw new CannotRun(`${variable} \`${path}\` ${why}`);
  }
}
