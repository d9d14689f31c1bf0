/** What is announced in one process is heard in every one that listens: promised by every store. */
import { describe, expect, it } from 'vitest';
import type { Announcement } from '../../src/records/announcements.ts';
import type { Store } from '../../src/records/store.ts';
import { until } from '../support/redis-deployments.ts';

export interface Listening {
  readonly heard: (Announcement | null)[];
  dispose(): void;
}

export function listening(store: Store): Listening {
  const heard: (Announcement | null)[] = [];
  return { heard, dispose: store.listen((announced) => heard.push(announced)) };
}

/** Says it until it is heard: a listener may still be on its way to where it hears. */
export async function heardOnceBy({ heard }: Listening, speaker: Store, word: string): Promise<void> {
  const isHeard = () => heard.some((words) => words?.includes(word));
  await until(`\`${word}\` is heard`, async () => {
    if (!isHeard()) await speaker.announce([word]);
    return isHeard();
  });
}

/** `openTwo`: two handles on one store, as two processes have. */
export function announcementCases(name: string, openTwo: () => Promise<readonly [Store, Store]>): void {
  describe(`${name}: what is announced`, () => {
    it('is heard by all who listen, here and elsewhere, word for word and in order', async () => {
      const [here, there] = await openTwo();
      const all = [listening(here), listening(there), listening(there)];
      for (const one of all) await heardOnceBy(one, here, 'ready');
      await here.announce(['first', 'and more']);
      await here.announce(['second']);
      for (const { heard } of all) {
        await until('the last is heard', async () => heard.some((words) => words?.[0] === 'second'));
        const words = heard.filter((one) => one !== null && one[0] !== 'ready');
        expect(words).toEqual([['first', 'and more'], ['second']]);
      }
    });

    it('is not heard by who has stopped listening, nor what was said before', async () => {
      const [here, there] = await openTwo();
      const [gone, other] = [listening(there), listening(there)];
      for (const one of [gone, other]) await heardOnceBy(one, here, 'ready');
      gone.dispose();
      const before = gone.heard.length;
      await here.announce(['after']);
      // What was said a moment ago may still be on its way.
      await until('it has come', async () => other.heard.flat().includes('after'));
      const late = listening(there);
      await heardOnceBy(late, here, 'late');
      expect(gone.heard).toHaveLength(before);
      expect(late.heard.flat()).not.toContain('after');
    });
  });
}
