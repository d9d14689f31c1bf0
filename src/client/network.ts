/** One exchange with the service: bounded in time and in length, whatever the other side does, and never a rejection. */
import { artefactCharactersMax } from '../device/device-artefact.ts';

export interface Reply {
  /** 0 where there was none. */
  readonly status: number;
  readonly text?: string;
}

/** An answer that takes longer is of no use to the next view either. */
export const patienceMs = 10_000;

export function exchange(fetching: typeof fetch | undefined, address: string, init: RequestInit): Promise<Reply> {
  const ending = new AbortController();
  // Whatever is not read to its end by then is let go, and with it the connection.
  return within(patienceMs, read(), { status: 0 }).finally(() => ending.abort());

  async function read(): Promise<Reply | undefined> {
    try {
      // A key that a page holds is for this service, and for no other that it may point to. Not every runtime knows `error`.
      const options: RequestInit = { ...init, credentials: 'omit', redirect: 'manual', signal: ending.signal };
      const { status, body } = await (fetching as typeof fetch)(address, options);
      const reader = body?.getReader();
      const decoder = new TextDecoder();
      let text = '';
      // What is cut off there is no JSON, and has no good signature.
      while (reader && text.length <= artefactCharactersMax) {
        const { value, done } = await reader.read();
        if (done) break;
        text += decoder.decode(value, { stream: true });
      }
      return { status, text };
    } catch {
      return undefined;
    }
  }
}

/** What has not come in time, or not at all, is left alone. Nothing that is handed here ever rejects. */
export function within<T>(ms: number, coming: Promise<T | undefined>, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, otherwise);
    void coming.then((value) => {
      clearTimeout(timer);
      resolve(value ?? otherwise);
    });
  });
}
