/** What one tab tells the others of the same origin: that consent changed, or that all is to be forgotten. */
import { around } from './surroundings.ts';
import type { UseCases } from './types.ts';

/** `null`: forget. */
export type Word = UseCases | null;

/** In a page alone: elsewhere one process has many visitors. Where tabs cannot talk, each still reads what was said before it answers. */
export function onOtherTabs(name: string, listen: (word: Word) => void): BroadcastChannel | undefined {
  try {
    if (!around.document) return undefined;
    const channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent) => listen(data as Word);
    return channel;
  } catch {
    return undefined;
  }
}
