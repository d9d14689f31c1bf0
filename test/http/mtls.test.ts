/** HTTPS on real sockets: who is let in where callers need certificates of their own, and that nobody who is not gets further. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startStepwell, temporaryDirectory } from '../cli/run-stepwell.ts';
import { type Certificate, throwAwayCertificate } from '../support/certificate.ts';
import { startService } from './service.ts';

const server = throwAwayCertificate();
const caller = throwAwayCertificate();
const stranger = throwAwayCertificate();
const asCaller = ({ certificate, key }: Certificate): ConnectionOptions => ({ cert: certificate, key });

async function listening(clientAuthority: Certificate | null): Promise<number> {
  const tls = {
    cert: Buffer.from(server.certificate),
    key: Buffer.from(server.key),
    clientAuthority: clientAuthority === null ? null : Buffer.from(clientAuthority.certificate),
  };
  const { app } = await startService({ tls });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The status line of one answer and the names on the certificate it came under, or the code of what went wrong. */
async function ask(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: server.certificate, ...options });
  return await statusFrom(socket);
}

async function statusFrom(socket: TLSSocket): Promise<string> {
  try {
    socket.write('GET /v1/decide?page=home HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    let said = '';
    for await (const chunk of socket) said += chunk;
    return said.split('\r\n', 1)[0] ?? '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    socket.destroy();
  }
}

const ok = 'HTTP/1.1 200 OK';

describe('a service with a certificate', () => {
  it('answers over TLS, and is silent to plain HTTP', async () => {
    const port = await listening(null);
    expect(await ask(port)).toBe(ok);
    const plain = connect(port, '127.0.0.1');
    plain.on('error', () => {});
    plain.end('GET /v1/decide?page=home HTTP/1.1\r\nhost: localhost\r\n\r\n');
    let said = '';
    plain.on('data', (chunk) => {
      said += chunk;
    });
    await once(plain, 'close');
    expect(said).not.toContain('HTTP/1.1');
    expect(await ask(port)).toBe(ok);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const port = await listening(null);
    expect(await ask(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' })).toMatch(
      /^ERR_SSL|^ECONNRESET|^EPROTO/,
    );
  });
});

describe('a service that needs certificates of its callers', () => {
  it('lets in whom its authority has signed, and nobody else, and goes on', async () => {
    const port = await listening(caller);
    expect(await ask(port, asCaller(caller))).toBe(ok);
    for (const refused of [{}, asCaller(stranger)]) expect(await ask(port, refused)).toMatch(/^ERR_SSL|^ECONNRESET|^EPROTO|^$/);
    expect(await ask(port, asCaller(caller))).toBe(ok);
  });

  it('still needs API keys, or a caller on this machine by its loopback name', async () => {
    const port = await listening(caller);
    const socket = connectTls({ host: '127.0.0.1', port, ca: server.certificate, ...asCaller(caller) });
    socket.write('GET /v1/decide?page=home HTTP/1.1\r\nhost: decisions.example\r\nconnection: close\r\n\r\n');
    let said = '';
    for await (const chunk of socket) said += chunk;
    expect(said).toMatch(/^HTTP\/1\.1 403 /);
  });
});

it('a service that runs says its https address, and takes a new certificate on SIGHUP; a bad one replaces nothing', async () => {
  await using directory = await temporaryDirectory();
  const cert = join(directory.path, 'cert.pem');
  const key = join(directory.path, 'key.pem');
  const write = async (certificate: Certificate) => {
    await writeFile(cert, certificate.certificate);
    await writeFile(key, certificate.key);
  };
  await write(server);
  const env = {
    STEPWELL_PORT: '0',
    STEPWELL_MANAGEMENT_PORT: '0',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_TLS_CERT: cert,
    STEPWELL_TLS_KEY: key,
  };
  const child = startStepwell(['serve'], { env });
  const ended = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output);
      if (match !== null) return match;
      await Promise.race([once(child.stderr, 'data'), ended.then(() => Promise.reject(new Error(output)))]);
    }
  };
  child.stderr.on('data', (text) => {
    output += text;
  });
  child.stdout.resume();
  const [, port = ''] = await said(/"serviceUrl":"https:\/\/127\.0\.0\.1:(\d+)".*"msg":"serving"/);
  expect(await ask(Number(port))).toBe(ok);

  await writeFile(cert, 'rubbish');
  child.kill('SIGHUP');
  await said(/STEPWELL_TLS_CERT `[^`]+` is no certificate in PEM; those in force stay so/);
  expect(await ask(Number(port))).toBe(ok);

  await write(stranger);
  child.kill('SIGHUP');
  await said(/the certificates were read again/);
  expect(await ask(Number(port))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
  expect(await ask(Number(port), { ca: stranger.certificate })).toBe(ok);
  expect(output).not.toContain('PRIVATE KEY');
});
