/** What one tab tells the others of the same origin: that consent changed, or that all is to be forgotten. */
import type { UseCases } from './types.ts';

/** `null`: forget. */
type Word = UseCases | null;

/** Where tabs cannot talk, each still reads what was said before it answers. */
export function onOtherTabs(listen: (word: Word) => void): BroadcastChannel | undefined {
  try {
    const channel = new BroadcastChannel('stepwell');
    channel.onmessage = ({ data }: MessageEvent) => listen(data as Word);
    // Outside a browser it must not keep a process alive.
    (channel as { unref?(): void }).unref?.();
    return channel;
  } catch {
    return undefined;
  }
}
