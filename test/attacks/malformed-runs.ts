/** Sends malformed requests to ports, so many at a time, and says what of it should not have been. */
import { malformedRequest } from './malformed.ts';
import { type Answer, exchange, headerOf } from './wire.ts';

export interface Target {
  readonly name: string;
  readonly port: number;
  /** An API key that is valid there, or null where none is needed. */
  readonly key: string | null;
}

export interface MalformedRun {
  readonly targets: readonly Target[];
  readonly firstSeed: number;
  readonly count: number;
  readonly socketsMax: number;
  readonly onProgress?: (sent: number) => void;
}

export interface Findings {
  /** Sentences, each with the seed that makes the request again. */
  readonly faults: readonly string[];
  readonly statuses: ReadonlyMap<number, number>;
  /** Connections that were closed without an answer. */
  readonly unanswered: number;
}

/** To who asks whether to send its body: no answer yet, and what comes of the body may be that the connection is closed. */
const justGoOn = 'HTTP/1.1 100 Continue\r\n\r\n';
/** More would say nothing new. */
const faultsMax = 20;

export async function sendMalformed({ targets, firstSeed, count, socketsMax, onProgress }: MalformedRun): Promise<Findings> {
  const faults: string[] = [];
  const statuses = new Map<number, number>();
  let unanswered = 0;
  let sent = 0;

  async function sendNext(): Promise<void> {
    while (sent < count && faults.length < faultsMax) {
      const seed = firstSeed + sent;
      const target = targets[sent % targets.length] as Target;
      sent += 1;
      onProgress?.(sent);
      const { pieces, mark, ways } = malformedRequest(seed, target.key);
      const { answers, raw, hung } = await exchange(target.port, pieces);
      const found = [...(hung ? ['the connection stays open'] : []), ...faultsIn(answers, raw, mark)];
      for (const fault of found) faults.push(`seed ${seed}, ${target.name} (${ways.join(', ')}): ${fault}`);
      if (answers.length === 0) unanswered += 1;
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }

  await Promise.all(Array.from({ length: socketsMax }, sendNext));
  return { faults, statuses, unanswered };
}

function faultsIn(answers: readonly Answer[], raw: string, mark: string): string[] {
  const faults = answers.flatMap((answer) => {
    const wrong: string[] = [];
    // A method that nobody knows is no fault of ours, though HTTP counts it among them.
    if (answer.status >= 500 && answer.status !== 501) wrong.push(`answered ${answer.status}`);
    if (headerOf(answer, 'cache-control') === undefined) wrong.push(`${answer.status} without Cache-Control`);
    if (answer.status >= 400 && headerOf(answer, 'cache-control') !== 'private, no-store') wrong.push(`${answer.status} that may be kept`);
    return wrong;
  });
  if (answers.length === 0 && raw !== '' && raw !== justGoOn) faults.push(`no answer of HTTP: ${JSON.stringify(raw.slice(0, 40))}`);
  if (withoutItsPlaces(raw).includes(mark)) faults.push('what was sent came back');
  return faults;
}

/** A cache's key is made of the attributes that the answer depends on, and an export says whose it is: there they belong. */
function withoutItsPlaces(raw: string): string {
  return raw.replace(/"key":"[^"\r\n]*"/g, '').replace(/\{"subject":"[^"\r\n]*",/g, '');
}
