/**
 * What is kept on the device: each thing under a name of its own, with an end. A storage that throws, is full or is wiped costs what
 * it held and nothing else: it is always a device that nobody knows.
 */
import type { ClientStorage } from './types.ts';

const dayMs = 86_400_000;
/** When each ends after it was written last, in days. An answer that was too late is kept for five minutes. */
const lifetimesDays = { consent: 180, signals: 30, artefact: 7, late: 5 / 1440, queue: 1 };
type Name = keyof typeof lifetimesDays;
export const names = Object.keys(lifetimesDays) as Name[];

export interface Keep {
  /** `otherwise` where nothing is kept, and where a list should be and is none, or the other way about. */
  read<T>(name: Name, otherwise: T): T;
  /** Undefined takes it away. */
  write(name: Name, value: unknown): void;
}

/** `storage` is asked for each time: to look at it may throw as well. What it does not take lives as long as the page. */
export function createKeep(storage: () => ClientStorage | null | undefined, nowMs: () => number): Keep {
  const untaken = new Map<Name, string>();
  const read: Keep['read'] = (name, otherwise) => {
    try {
      // Nothing is no object, a missing storage has no members: both end below, as whatever else is wrong does.
      const { value, until } = JSON.parse(untaken.get(name) ?? ((storage() as ClientStorage).getItem(`stepwell:${name}`) as string));
      if (until > nowMs()) return value && Array.isArray(value) === Array.isArray(otherwise) ? value : otherwise;
      write(name, undefined);
    } catch {}
    return otherwise;
  };
  const write: Keep['write'] = (name, value) => {
    const text = JSON.stringify({ value, until: nowMs() + lifetimesDays[name] * dayMs });
    untaken.delete(name);
    try {
      const taking = storage() as ClientStorage;
      if (value === undefined) taking.removeItem(`stepwell:${name}`);
      else taking.setItem(`stepwell:${name}`, text);
    } catch {
      untaken.set(name, text);
    }
  };
  for (const name of names) read(name, undefined);
  return { read, write };
}
