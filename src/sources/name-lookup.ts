/**
 * Turns a host's name into addresses that may be asked, and only those. The system's resolver blocks a thread for each question,
 * and those threads verify tokens too: so one question per name is under way, few at once, and an answer is kept for a moment.
 */
import type { LookupAddress } from 'node:dns';
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import type { Clock } from '../time/clock.ts';
import type { AddressGuard } from './address-guard.ts';
import { SourceFault } from './source-fault.ts';

export type ResolveName = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: ResolveName = (hostname) => systemLookup(hostname, { all: true });

/** Of the four threads that Node has for this by default. */
const questionsMax = 2;
const addressesLifeMs = 5_000;

interface Question {
  readonly addresses: Promise<readonly LookupAddress[]>;
  /** Null while no answer has come. */
  answeredAtMs: number | null;
}

/** The same questions, asked more rarely. */
export function sparingly(resolve: ResolveName, clock: Pick<Clock, 'monotonicMs'>): ResolveName {
  const questions = new Map<string, Question>();
  const waiting: (() => void)[] = [];
  let underWay = 0;

  async function inTurn(hostname: string): Promise<readonly LookupAddress[]> {
    if (underWay >= questionsMax) await new Promise<void>((proceed) => waiting.push(proceed));
    else underWay += 1;
    try {
      return await resolve(hostname);
    } finally {
      const next = waiting.shift();
      if (next === undefined) underWay -= 1;
      else next();
    }
  }

  return (hostname) => {
    const known = questions.get(hostname);
    if (known !== undefined && (known.answeredAtMs === null || clock.monotonicMs() - known.answeredAtMs < addressesLifeMs))
      return known.addresses;
    const question: Question = { addresses: inTurn(hostname), answeredAtMs: null };
    questions.set(hostname, question);
    question.addresses.then(
      () => {
        question.answeredAtMs = clock.monotonicMs();
      },
      () => questions.delete(hostname),
    );
    return question.addresses;
  };
}

/** For `net.connect`: a name of which any address is forbidden is not used at all, since nobody honest has such a name. */
export function guardedLookup(resolve: ResolveName, guard: AddressGuard): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        if (first === undefined) return callback(new SourceFault('name_unresolved'), '', 0);
        if (!addresses.every(({ address }) => guard.allows(address))) return callback(new SourceFault('address_forbidden'), '', 0);
        if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      () => callback(new SourceFault('name_unresolved'), '', 0),
    );
  };
}
