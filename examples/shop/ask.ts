/**
 * One question under one deadline. It holds from the call to the last byte of the answer, so that a service that dribbles is as late as
 * one that says nothing; it never throws, and what did not come in time or in shape is left to the approved words.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { gpcOf, questionOf } from './visitor.ts';
import { readDecision, type Shown, type Zones } from './zones.ts';

export interface Service {
  readonly url: string;
  /** An API key with the scope `decide`, where the service asks for one. */
  readonly key?: string | undefined;
}

/** What the way there and back may take of the deadline: the service is told what is left. */
const wayMs = 10;
const answerBytesMax = 65_536;

export async function askForZones(service: Service, visitor: IncomingHttpHeaders, budgetMs: number): Promise<Zones> {
  try {
    const signal = AbortSignal.timeout(budgetMs);
    const response = await open(service, { visitor, deadlineMs: budgetMs - wayMs, signal, accept: 'application/json' });
    return zonesIn(await jsonOf(response));
  } catch {
    return new Map();
  }
}

export function zonesIn(answer: unknown): Zones {
  const { zones } = answer as { zones: unknown[] };
  return new Map(zones.map(readDecision).flatMap((shown) => (shown === null ? [] : [[shown.zone, shown]])));
}

export async function jsonOf(response: Response): Promise<unknown> {
  let answer = '';
  for await (const piece of textOf(response)) answer += piece;
  return JSON.parse(answer);
}

const warmingMs = 1000;

/** Before the first visitor comes: a process that has just started, and has no connection yet, may need longer than a deadline. */
export async function warmUp(service: Service): Promise<void> {
  await askForZones(service, {}, warmingMs);
}

/** The same as it comes: `found` is called with each zone as its line arrives. Ends when all are there, at the deadline or at a fault. */
export async function streamZones(
  service: Service,
  visitor: IncomingHttpHeaders,
  { budgetMs, found }: { budgetMs: number; found: (zone: string, shown: Shown) => void },
): Promise<void> {
  try {
    const signal = AbortSignal.timeout(budgetMs);
    const response = await open(service, { visitor, deadlineMs: budgetMs - wayMs, signal, accept: 'application/x-ndjson' });
    let rest = '';
    for await (const piece of textOf(response)) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const shown = readDecision(JSON.parse(line));
        if (shown !== null) found(shown.zone, shown);
      }
    }
  } catch {
    // What came is shown, and what did not is the approved words'.
  }
}

interface Asking {
  readonly visitor: IncomingHttpHeaders;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly accept: string;
}

async function open({ url, key }: Service, { visitor, deadlineMs, signal, accept }: Asking): Promise<Response> {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(`${url}/v1/decide`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...authorization, ...gpcOf(visitor) },
    body: JSON.stringify(questionOf(visitor, Math.max(0, deadlineMs))),
    // Any other status than 200 is refused below; Workers know no `error`.
    redirect: 'manual',
    signal,
  });
  if (response.status !== 200) throw new Error(`the service answered ${response.status}`);
  return response;
}

async function* textOf(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    if (bytes > answerBytesMax) throw new Error('the answer is longer than any answer');
    yield decoder.decode(piece, { stream: true });
  }
}
