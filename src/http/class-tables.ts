/**
 * Tables of classes, made when they are first asked for, kept as long as they hold, and made one at a time and in pieces, so that no
 * decision waits for one. Bounded: what a caller may ask for has no end, since any zones may be asked for together.
 */
import { type ClassQuestion, compileClasses } from '../classes/compile-classes.ts';
import { ProblemError } from '../contract/problem.ts';
import type { Artefact } from '../decision/artefact.ts';
import { inTurns } from './in-turns.ts';
import { etagOf } from './shared-headers.ts';

export interface KeptTable {
  readonly body: string;
  readonly etag: string;
  readonly validUntilMs: number | null;
}

export interface ClassTables {
  /** Rejects with the problem that too many tables are wanted at once. */
  tableFor(artefact: Artefact, asked: ClassQuestion): Promise<KeptTable>;
}

const tablesMax = 64;
const waitingMax = 16;
const retryAfterSeconds = 1;

export function createClassTables(): ClassTables {
  const kept = new WeakMap<Artefact, Map<string, Promise<KeptTable>>>();
  const ends = new WeakMap<Promise<KeptTable>, number>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function make(artefact: Artefact, asked: ClassQuestion): Promise<KeptTable> {
    const { table, validUntilMs } = await inTurns(compileClasses(artefact, asked));
    const body = JSON.stringify(table);
    return { body, etag: etagOf(body), validUntilMs };
  }

  function afterTheLast(artefact: Artefact, asked: ClassQuestion): Promise<KeptTable> {
    if (waiting >= waitingMax) throw new ProblemError('overloaded', 'too many tables of classes are wanted at once', [], retryAfterSeconds);
    waiting += 1;
    const making = last
      .then(() => make(artefact, asked))
      .finally(() => {
        waiting -= 1;
      });
    last = making.catch(() => {});
    return making;
  }

  return {
    async tableFor(artefact, asked) {
      let tables = kept.get(artefact);
      if (tables === undefined) {
        tables = new Map();
        kept.set(artefact, tables);
      }
      const name = JSON.stringify([asked.page, asked.zones]);
      const known = tables.get(name);
      if (known !== undefined && asked.nowMs < (ends.get(known) ?? Number.POSITIVE_INFINITY)) return known;
      const making = afterTheLast(artefact, asked);
      tables.delete(name);
      tables.set(name, making);
      const [oldest] = tables.keys();
      if (tables.size > tablesMax && oldest !== undefined) tables.delete(oldest);
      try {
        const table = await making;
        if (table.validUntilMs !== null) ends.set(making, table.validUntilMs);
        return table;
      } catch (error) {
        // Who asks next has it tried again.
        if (tables.get(name) === making) tables.delete(name);
        throw error;
      }
    },
  };
}
