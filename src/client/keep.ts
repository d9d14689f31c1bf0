/**
 * What is kept on the device: each thing under a name of its own, with an end. A storage that throws, is full or is wiped costs what
 * it held and nothing else: it is always a device that nobody knows.
 */
import { isList } from '../device/condition.ts';
import type { ClientStorage } from './types.ts';

const dayMs = 86_400_000;
/** When each ends after it was written last, in days. An answer that was too late is kept for five minutes. */
const lifetimesDays = { consent: 180, signals: 30, artefact: 7, late: 5 / 1440, queue: 1 };
type Name = keyof typeof lifetimesDays;

export interface Keep {
  /** How often all was forgotten: what was on its way then is nobody's. */
  readonly age: number;
  /** `otherwise` where nothing is kept, and where a list should be and is none, or the other way about. */
  read<T>(name: Name, otherwise?: T): T;
  /** Without a value: takes it away. */
  write(name: Name, value?: unknown): void;
  forget(): void;
}

/** `storage` is asked for each time: to look at it may throw as well. What it does not take lives as long as the page. */
export function createKeep(prefix: string, storage: () => ClientStorage | null | undefined, nowMs: () => number): Keep {
  const untaken = new Map<Name, string>();
  const read: Keep['read'] = (name, otherwise) => {
    try {
      // Nothing is no object, a missing storage has no members: both end below, as whatever else is wrong does.
      const { value, at } = JSON.parse(untaken.get(name) ?? ((storage() as ClientStorage).getItem(prefix + name) as string));
      // A clock that was ahead when it was written lengthens no life by more than one.
      if (Math.abs(nowMs() - at) < lifetimesDays[name] * dayMs) return value && isList(value) === isList(otherwise) ? value : otherwise;
      write(name);
    } catch {}
    return otherwise as never;
  };
  const write: Keep['write'] = (name, value) => {
    const text = JSON.stringify({ value, at: nowMs() });
    untaken.delete(name);
    try {
      const taking = storage() as ClientStorage;
      // First, so that what is full does not keep what was said before.
      taking.removeItem(prefix + name);
      if (value !== undefined) taking.setItem(prefix + name, text);
    } catch {
      untaken.set(name, text);
    }
  };
  for (const name in lifetimesDays) read(name as Name);
  const keep = {
    age: 0,
    read,
    write,
    forget() {
      keep.age++;
      for (const name in lifetimesDays) write(name as Name);
    },
  };
  return keep;
}
