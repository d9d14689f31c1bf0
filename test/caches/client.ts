/** Asks over connections that are kept, and hides nothing: the path goes out as it is written, the answer comes back as it is. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Monotonic, of this process: before anything was sent, and after everything was read. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
}

export interface Client {
  ask(port: number, asked: Asked): Promise<Answer>;
  close(): void;
}

const patienceMs = 30_000;

export function createClient(): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    // A connection that was closed while we sent on it is nobody's fault: asked once more.
    async ask(port, asked) {
      const answer = await once(agent, port, asked);
      return answer.status === 0 ? once(agent, port, asked) : answer;
    },
    close: () => agent.destroy(),
  };
}

function once(agent: Agent, port: number, { method, path, headers, body }: Asked): Promise<Answer> {
  const askedAtMs = performance.now();
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const none = (): void => resolve({ status: 0, headers: {}, body: '', askedAtMs, answeredAtMs: performance.now() });
    const options = { host: '127.0.0.1', port, method, path, agent, headers: { ...headers, ...length }, timeout: patienceMs };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, askedAtMs, answeredAtMs: performance.now() });
      });
      response.on('error', none);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', none);
    sent.end(body);
  });
}
