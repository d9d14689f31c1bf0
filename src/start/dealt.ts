/**
 * Connections that were dealt to a worker and not yet taken. Node keeps each open in the primary until the worker says that it took
 * it, so of one that dies before, the caller would wait for ever: these are closed with it. It listens to what Node's cluster sends
 * and hears, which is not documented; were that to change, nothing would be closed and nothing else would differ.
 */
import type { ChildProcess } from 'node:child_process';

interface Closable {
  close(): void;
}

export function closeUntakenAtExit(child: ChildProcess): void {
  const dealt = new Map<number, Closable>();
  const send = child.send;
  child.send = function (this: ChildProcess, ...given: unknown[]): boolean {
    const [message, handle] = given;
    const { act, seq } = (message ?? {}) as { readonly act?: unknown; readonly seq?: unknown };
    if (act === 'newconn' && typeof seq === 'number' && isClosable(handle)) dealt.set(seq, handle);
    return Reflect.apply(send, this, given);
  };
  child.on('internalMessage' as 'message', (message) => {
    const { ack } = (message ?? {}) as { readonly ack?: unknown };
    if (typeof ack === 'number') dealt.delete(ack);
  });
  child.once('exit', () => {
    for (const handle of dealt.values()) handle.close();
    dealt.clear();
  });
}

function isClosable(handle: unknown): handle is Closable {
  return typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function';
}
