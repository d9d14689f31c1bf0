/** Mixed traffic over several caches at once, in front of one service whose store comes and goes, with every answer judged. */
import { randomFrom } from '../../bench/faults/random.ts';
import { createAsking, type Knowledge } from './asking.ts';
import { type Answer, type Asked, type Client, createClient } from './client.ts';
import { contentOf, type PublicKey } from './device-artefact.ts';
import { type Complaint, type ComplaintKind, count, createJudge, type Tally, type Truth } from './judge.ts';
import { addressOfShared, artefactAddress, deviceVariant, sharedQueries, tableAddresses } from './policy.ts';
import type { RunningCache } from './start-cache.ts';
import type { CacheWorld, StoreState } from './world.ts';

export interface TrafficOptions {
  readonly world: CacheWorld;
  readonly caches: readonly RunningCache[];
  /** Of all together. */
  readonly requests: number;
  readonly seed: number;
  readonly atOncePerCache?: number;
  readonly onProgress?: (answers: number) => void;
  readonly isOver?: () => boolean;
}

export interface CacheFindings {
  readonly cache: Pick<RunningCache, 'name' | 'manner'>;
  readonly tally: Tally;
  readonly complaints: ReadonlyMap<ComplaintKind, number>;
  /** The first of each kind. */
  readonly examples: readonly Complaint[];
}

/** What becomes of the store, by shares of the requests. */
const phases: readonly { readonly share: number; readonly store: StoreState }[] = [
  { share: 0.25, store: 'healthy' },
  { share: 0.1, store: 'slow' },
  { share: 0.25, store: 'healthy' },
  { share: 0.1, store: 'gone' },
  { share: 0.3, store: 'healthy' },
];

export async function driveTraffic(options: TrafficOptions): Promise<readonly CacheFindings[]> {
  const { world, caches, requests, seed, atOncePerCache = 8, onProgress, isOver = () => false } = options;
  const client = createClient();
  let answers = 0;
  try {
    const deviceKeys = await deviceKeysOf(client, world.service.port);
    const truths = await truthsOf(client, world.service.port, deviceKeys);
    const validators = new Map([...truths].map(([query, { etag }]) => [query, etag]));
    const knowledge: Knowledge = { people: world.people, validators };

    const driven: readonly Driven[] = caches.map((cache, index) => ({
      cache,
      asked: 0,
      ...driving(client, cache, createAsking(randomFrom(seed + index), knowledge), truths, deviceKeys),
    }));
    for (const [index, { store }] of phases.entries()) {
      await world.store(store);
      const shareSoFar = phases.slice(0, index + 1).reduce((sum, phase) => sum + phase.share, 0);
      const untilOfEach = Math.round((requests * shareSoFar) / caches.length);
      const work = async (one: Driven): Promise<void> => {
        while (one.asked < untilOfEach && !isOver()) {
          one.asked += 1;
          await one.once();
          answers += 1;
          onProgress?.(answers);
        }
      };
      await Promise.all(driven.flatMap((one) => Array.from({ length: atOncePerCache }, () => work(one))));
    }
    const after = await truthsOf(client, world.service.port, deviceKeys);
    if (unmoving(after) !== unmoving(truths)) throw new Error('the service itself says something else than before');
    return driven.map(({ cache: { name, manner }, findings }) => ({ cache: { name, manner }, ...findings }));
  } finally {
    await world.store('healthy');
    client.close();
  }
}

interface Driven {
  readonly cache: RunningCache;
  readonly once: () => Promise<void>;
  readonly findings: Omit<CacheFindings, 'cache'>;
  asked: number;
}

/** But for the validator of what is signed anew each hour. */
function unmoving(truths: ReadonlyMap<string, Truth>): string {
  return JSON.stringify([...truths].map(([query, truth]) => [query, query === artefactAddress ? truth.body : truth]));
}

function driving(
  client: Client,
  cache: RunningCache,
  next: ReturnType<typeof createAsking>,
  truths: ReadonlyMap<string, Truth>,
  deviceKeys: readonly PublicKey[],
) {
  const judge = createJudge({ truths, deviceKeys, isStrict: cache.manner === 'ordinary' });
  const complaints = new Map<ComplaintKind, number>();
  const examples: Complaint[] = [];
  const once = async (): Promise<void> => {
    const question = next();
    for (const complaint of judge.of(question, await client.ask(cache.port, question.asked))) {
      if (!complaints.has(complaint.kind)) examples.push(complaint);
      count(complaints, complaint.kind);
    }
  };
  return { once, findings: { tally: judge.tally, complaints, examples } };
}

const attemptsMax = 100;

/** A service that is too busy says so, and is asked again. */
async function answered(client: Client, port: number, asked: Asked): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await client.ask(port, asked);
    if (answer.status !== 503 || attempt === attemptsMax) return answer;
  }
}

/** From the service, past every cache. */
async function truthsOf(client: Client, port: number, deviceKeys: readonly PublicKey[]): Promise<ReadonlyMap<string, Truth>> {
  const truths = new Map<string, Truth>();
  for (const query of [...sharedQueries(), ...tableAddresses, artefactAddress]) {
    const { status, body: text, headers } = await answered(client, port, { method: 'GET', path: addressOfShared(query), headers: {} });
    const body = query === artefactAddress ? contentOf(text, deviceKeys) : text;
    const { etag, 'cache-control': cacheControl } = headers;
    if (status !== 200 || body === null || etag === undefined || cacheControl === undefined)
      throw new Error(`${query} is no shared question: ${status} ${text}`);
    truths.set(query, { body, etag, cacheControl });
  }
  if (!truths.get(artefactAddress)?.body.includes(deviceVariant)) throw new Error('the artefact lacks what is marked for devices');
  return truths;
}

async function deviceKeysOf(client: Client, port: number): Promise<readonly PublicKey[]> {
  const { body } = await answered(client, port, { method: 'GET', path: '/.well-known/stepwell-keys.json', headers: {} });
  return (JSON.parse(body) as { keys: readonly PublicKey[] }).keys;
}
