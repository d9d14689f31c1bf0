/**
 * The services that a case's policy names, on a real socket: each answers of a subject what the case says of it, 404 for anybody
 * else, and gets into the trouble that the case describes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConformanceCase } from './assemble.ts';

export interface CaseServices {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** Resolves when somebody waits for an answer that will not come. */
  readonly waiting: Promise<void>;
  close(): Promise<void>;
}

/** Where the policies of the corpus say that the services are. */
const originsInPolicies = ['http://audiences.example', 'http://recommender.example'] as const;

export function withServicesAt(origin: string, policy: string): string {
  return originsInPolicies.reduce((text, written) => text.replaceAll(written, origin), policy);
}

export async function startServices({ services, trouble }: ConformanceCase): Promise<CaseServices> {
  const waiting = Promise.withResolvers<void>();

  const server = createServer(async (request, response) => {
    const asked = request.url?.startsWith('/people/')
      ? { name: 'audience' as const, subject: decodeURIComponent(request.url.slice('/people/'.length)) }
      : { name: 'model' as const, subject: String((await bodyOf(request)).subject) };
    if (trouble[asked.name] === 'late') return waiting.resolve();
    if (trouble[asked.name] === 'failed' || trouble[asked.name] === 'circuit_open') return answer(response, 500, {});
    const said = asked.name === 'audience' ? membersOf(services?.audiences?.[asked.subject]) : scoresOf(services?.scores?.[asked.subject]);
    return said === null ? answer(response, 404, {}) : answer(response, 200, said);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waiting: waiting.promise,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function membersOf(audiences: readonly string[] | undefined): object | null {
  return audiences === undefined ? null : { members: audiences.map((name) => ({ name })) };
}

function scoresOf(scores: Readonly<Record<string, number>> | undefined): object | null {
  return scores === undefined ? null : { scores };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}
