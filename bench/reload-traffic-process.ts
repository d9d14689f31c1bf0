/**
 * Traffic at a steady rate, whatever became of the requests before, in a process of its own. Every answer is held against the
 * editions of the policy: its zones must be of the edition that its revision names.
 */
import { createHttpClient, type Exchange, monotonicMs, type Target } from './faults/exchange.ts';
import { editionFault, type ReloadAnswer } from './reload-editions.ts';

export interface ReloadTrafficOrder {
  readonly target: Target;
  readonly bodies: readonly string[];
  readonly requestsPerSecond: number;
  readonly editionOf: Readonly<Record<string, number>>;
}

export type ReloadTrafficReport =
  /** An answer of another edition than that of the answer before. */
  { readonly kind: 'seen'; readonly edition: number; readonly atMs: number } | ({ readonly kind: 'end' } & ReloadTraffic);

export interface ReloadTraffic {
  /** Of each answer, on the clock that all processes share. */
  readonly sentAtMs: readonly number[];
  readonly latencyMs: readonly number[];
  /** The first of them. */
  readonly torn: readonly string[];
  readonly tornCount: number;
  readonly lost: Readonly<Record<string, number>>;
}

const tickMs = 1;
const giveUpMs = 5_000;
const tornShownMax = 10;

const sentAtMs: number[] = [];
const latencyMs: number[] = [];
const torn: string[] = [];
const lost: Record<string, number> = {};
const underWay = new Set<Promise<void>>();
let tornCount = 0;
let edition: number | null = null;
let stop = (): void => {};

process.on('message', async (order: ReloadTrafficOrder | 'stop') => {
  if (order !== 'stop') {
    stop = start(order);
    return;
  }
  stop();
  await Promise.all(underWay);
  // Who asked ends us once this has arrived.
  process.send?.({ kind: 'end', sentAtMs, latencyMs, torn, tornCount, lost } satisfies ReloadTrafficReport);
});

function start({ target, bodies, requestsPerSecond, editionOf }: ReloadTrafficOrder): () => void {
  const client = createHttpClient([target]);
  const startedAtMs = monotonicMs();
  let asked = 0;

  async function ask(body: string): Promise<void> {
    const head = `POST /v1/decide HTTP/1.1\r\nhost: ${target.host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}`;
    judge(await client.exchange({ head, body, giveUpMs }), editionOf);
  }

  const ticker = setInterval(() => {
    const due = Math.floor(((monotonicMs() - startedAtMs) * requestsPerSecond) / 1000);
    for (; asked < due; asked += 1) {
      const asking = ask(bodies[asked % bodies.length] ?? '').finally(() => underWay.delete(asking));
      underWay.add(asking);
    }
  }, tickMs);
  return () => clearInterval(ticker);
}

function judge(exchange: Exchange, editionOf: ReloadTrafficOrder['editionOf']): void {
  if (exchange.status !== 200) {
    const why = exchange.failure ?? `status ${exchange.status}`;
    lost[why] = (lost[why] ?? 0) + 1;
    return;
  }
  sentAtMs.push(exchange.sentAtMs);
  latencyMs.push(exchange.latencyMs);
  const answer = JSON.parse(exchange.body) as ReloadAnswer;
  const fault = editionFault(answer, editionOf);
  if (fault !== null) {
    tornCount += 1;
    if (torn.length < tornShownMax) torn.push(fault);
  }
  const now = editionOf[answer.policy.revision] ?? null;
  if (now === null || now === edition) return;
  edition = now;
  process.send?.({ kind: 'seen', edition: now, atMs: exchange.sentAtMs + exchange.latencyMs } satisfies ReloadTrafficReport);
}
