/** What a page, a worker or a server may have around the client. Nothing is taken for granted, and nothing is touched on import. */
import type { ClientStorage } from './types.ts';

interface Around {
  readonly document?: { getElementById(id: string): { readonly textContent: string | null } | null };
  readonly localStorage?: ClientStorage;
  readonly navigator?: { readonly globalPrivacyControl?: boolean };
  readonly fetch?: typeof fetch;
  reportError?(error: unknown): void;
  addEventListener?(type: string, listener: () => void): void;
}

export const around = globalThis as unknown as Around;

export function jsonOf(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text as string);
  } catch {
    return undefined;
  }
}
