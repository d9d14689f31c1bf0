/** Bytes to a port and back, below every client library: what is sent is sent as it stands, and every answer is taken apart. */
import { connect } from 'node:net';

export interface Answer {
  readonly status: number;
  /** Names in lower case; of a repeated one, all values. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
}

export interface Exchange {
  readonly answers: readonly Answer[];
  /** Everything that came, as it came: one character for each byte. */
  readonly raw: string;
  /** It did not close in time. */
  readonly hung: boolean;
}

/** Nobody here takes that long: the longest that the service waits for anybody is a few seconds. */
const patienceMs = 20_000;
/**
 * A caller who waits for more has had all there is, or has not sent all that is waited for. Then it says that nothing more comes, which
 * ends the connection, also for an answer that a busy machine has not made yet: so the first one is waited for longer.
 */
const quietMs = { beforeAnything: 500, after: 60 } as const;

/** Sends the pieces and reads until the other side has closed. */
export function exchange(port: number, pieces: readonly (string | Buffer)[]): Promise<Exchange> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const finish = (hung: boolean): void => {
      clearTimeout(patience);
      clearTimeout(quiet);
      socket.destroy();
      const raw = Buffer.concat(received).toString('latin1');
      resolve({ raw, answers: answersIn(raw), hung });
    };
    const patience = setTimeout(() => finish(true), patienceMs);
    let quiet = setTimeout(() => socket.end(), quietMs.beforeAnything);
    socket.once('connect', () => {
      for (const piece of pieces) socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
      quiet.refresh();
    });
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      clearTimeout(quiet);
      quiet = setTimeout(() => socket.end(), quietMs.after);
    });
    // Who closes on us while we still write has said all it will say.
    socket.on('error', () => {});
    socket.once('end', () => finish(false));
    socket.once('close', () => finish(false));
  });
}

/** One after another, each as long as it says; an interim one is none. */
function answersIn(raw: string): readonly Answer[] {
  const answers: Answer[] = [];
  let rest = raw;
  while (rest.startsWith('HTTP/1.1 ')) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) break;
    const { status, headers } = headOf(rest.slice(0, headEnd));
    const length = lengthOf(status, headers, rest.slice(headEnd + 4));
    const bodyEnd = headEnd + 4 + length;
    if (status >= 200) answers.push({ status, headers, body: rest.slice(headEnd + 4, bodyEnd) });
    rest = rest.slice(bodyEnd);
  }
  return answers;
}

function headOf(text: string): Pick<Answer, 'status' | 'headers'> {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const headers = new Map<string, readonly string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return { status: Number(statusLine.split(' ')[1]), headers };
}

function lengthOf(status: number, headers: Answer['headers'], rest: string): number {
  if (status < 200 || status === 204 || status === 304) return 0;
  if (headers.get('transfer-encoding')?.[0] === 'chunked') {
    const end = rest.indexOf('0\r\n\r\n');
    return end < 0 ? rest.length : end + 5;
  }
  // Of an answer to HEAD nothing follows, whatever it says.
  return rest.startsWith('HTTP/1.1 ') ? 0 : Number(headers.get('content-length')?.[0] ?? rest.length);
}

export function headerOf(answer: Answer, name: string): string | undefined {
  return answer.headers.get(name)?.join(', ');
}
