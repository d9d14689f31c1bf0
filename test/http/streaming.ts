/** A page's end of a stream: what came, as it came, from a service that listens on a port of its own. */
import { once } from 'node:events';
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { onTestFinished } from 'vitest';

export interface HeardStream {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** All of it so far. */
  text(): string;
  /** Resolves when what came satisfies. */
  until(isSo: (text: string) => boolean): Promise<void>;
  /** Resolves when the service has ended it. */
  readonly ended: Promise<void>;
  leave(): void;
}

export const notices = (text: string): number => text.split('"refetchEvaluation"').length - 1;

export async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

export async function openStream(url: string, headers: OutgoingHttpHeaders = {}): Promise<HeardStream> {
  const request = get(url, { headers });
  onTestFinished(() => void request.destroy());
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    wake();
  });
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  response.on('error', () => {});
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => text,
    until: (isSo) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!isSo(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        void ended.then(() => reject(new Error(`the stream ended: ${JSON.stringify(text)}`)));
        look();
      }),
    ended,
    leave: () => request.destroy(),
  };
}
