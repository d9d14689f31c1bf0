/** Hears all that OpenTelemetry sends, on loopback, and keeps every byte. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

export interface Collector {
  readonly url: string;
  /** Everything that came under the path, one character for each byte. */
  text(path: '/v1/traces' | '/v1/metrics'): string;
}

export async function startCollector(): Promise<Collector> {
  const heard = new Map<string, string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString('latin1');
      const path = request.url ?? '';
      heard.set(path, `${heard.get(path) ?? ''}${JSON.stringify(request.headers)}${text}`);
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, text: (path) => heard.get(path) ?? '' };
}
