/**
 * Tables of classes, made when they are first asked for, kept as long as they hold, and made one at a time and in pieces, so that no
 * decision waits for one. None is handed out for an instant that is over, and nobody waits long. Bounded: what a caller may ask for has no end, since any zones may be asked for together.
 */
import { type ClassQuestion, compileClasses } from '../classes/compile-classes.ts';
import { ProblemError } from '../contract/problem.ts';
import type { Artefact } from '../decision/artefact.ts';
import type { Clock } from '../time/clock.ts';
import { inTurns } from '../time/in-turns.ts';
import { etagOf } from './validators.ts';

export interface KeptTable {
  readonly body: string;
  readonly etag: string;
  readonly validUntilMs: number | null;
}

/** What is asked for. The time is that at which the making begins. */
export type TableQuestion = Omit<ClassQuestion, 'nowMs'>;

export interface ClassTables {
  /** Rejects with the problem that too many tables are wanted at once, or that this one takes too long: it is then made nevertheless. */
  tableFor(artefact: Artefact, asked: TableQuestion): Promise<KeptTable>;
}

const tablesMax = 64;
const waitingMax = 16;
const retryAfterSeconds = 1;
/** Well below the time after which a connection without any byte is cut. */
const waitMaxMs = 2_000;

export function createClassTables(clock: Clock): ClassTables {
  // The pages are the policy's own, and few: what callers put together neither stands before them nor in their place.
  const ofPages = createLane(clock);
  const ofZones = createLane(clock);
  return {
    tableFor: (artefact, asked) => inTime(clock, (asked.zones === null ? ofPages : ofZones)(artefact, asked)),
  };
}

/** Who waits longer is told to come again, and finds it made then. */
async function inTime<T>(clock: Clock, coming: Promise<T>): Promise<T> {
  let stop = (): void => {};
  const late = new Promise<never>((_, reject) => {
    stop = clock.after(waitMaxMs, () => reject(overloaded('the table of classes takes too long to make')));
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    stop();
  }
}

function overloaded(detail: string): ProblemError {
  return new ProblemError('overloaded', detail, [], retryAfterSeconds);
}

/** Tables that are made one after the other. */
function createLane(clock: Clock): ClassTables['tableFor'] {
  const kept = new WeakMap<Artefact, Map<string, Promise<KeptTable>>>();
  /** Those that are made; of one that is still to be made nobody knows how long it holds. */
  const made = new WeakMap<Promise<KeptTable>, KeptTable>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  const isOver = (table: KeptTable | undefined) => (table?.validUntilMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs();

  async function makeOnce(artefact: Artefact, asked: TableQuestion): Promise<KeptTable> {
    const { table, validUntilMs } = await inTurns(compileClasses(artefact, { ...asked, nowMs: clock.nowMs() }));
    const body = JSON.stringify(table);
    return { body, etag: etagOf(body), validUntilMs };
  }

  /** What ended while it was made is made anew; once, for there may be no end of ends. */
  async function make(artefact: Artefact, asked: TableQuestion): Promise<KeptTable> {
    const table = await makeOnce(artefact, asked);
    return isOver(table) ? makeOnce(artefact, asked) : table;
  }

  function afterTheLast(artefact: Artefact, asked: TableQuestion): Promise<KeptTable> {
    if (waiting >= waitingMax) throw overloaded('too many tables of classes are wanted at once');
    waiting += 1;
    const making = last
      .then(() => make(artefact, asked))
      .finally(() => {
        waiting -= 1;
      });
    last = making.catch(() => {});
    return making;
  }

  return async (artefact, asked) => {
    let tables = kept.get(artefact);
    if (tables === undefined) {
      tables = new Map();
      kept.set(artefact, tables);
    }
    const name = JSON.stringify([asked.page, asked.zones]);
    const known = tables.get(name);
    const isGood = known !== undefined && !isOver(made.get(known));
    const coming = isGood ? known : afterTheLast(artefact, asked);
    // Behind all others: the first is then the one that was asked for least lately.
    tables.delete(name);
    tables.set(name, coming);
    if (isGood) return coming;
    const [oldest] = tables.keys();
    if (tables.size > tablesMax && oldest !== undefined) tables.delete(oldest);
    try {
      const table = await coming;
      made.set(coming, table);
      return table;
    } catch (error) {
      // Who asks next has it tried again.
      if (tables.get(name) === coming) tables.delete(name);
      throw error;
    }
  };
}
