/** One exchange with the service: bounded in time and in length, whatever the other side does, and never a rejection. */
export interface Reply {
  /** 0 where there was none. */
  readonly status: number;
  readonly etag?: string | null;
  readonly text: string;
}

/** In UTF-16 units. What a page shows is far less. */
const lengthMax = 524_288;
/** An answer that takes longer is of no use to the next view either. */
const patienceMs = 10_000;

const none: Reply = { status: 0, text: '' };

export function exchange(fetching: typeof fetch, address: string, init: RequestInit): Promise<Reply> {
  return within(patienceMs, read(fetching, address, init), none);
}

/** What has not come in time is left alone. Nothing that is handed here ever rejects. */
export function within<T>(ms: number, coming: Promise<T>, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, otherwise);
    void coming.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

async function read(fetching: typeof fetch, address: string, init: RequestInit): Promise<Reply> {
  try {
    const signal = AbortSignal.timeout(patienceMs);
    // A key that a page holds is for this service, and for no other that it may point to.
    const { status, headers, body } = await fetching(address, { credentials: 'omit', redirect: 'error', ...init, signal });
    const reader = body?.getReader();
    const decoder = new TextDecoder();
    let text = '';
    while (reader) {
      const { value, done } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      // What nobody reads any further is held up, and let go with the signal.
      if (text.length > lengthMax) return none;
    }
    return { status, etag: headers.get('etag'), text };
  } catch {
    return none;
  }
}
