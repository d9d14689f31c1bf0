/** What an API key may be allowed to do. `admin` includes every other. */
export const keyScopes = ['decide', 'explain', 'profiles', 'admin'] as const;
export type KeyScope = (typeof keyScopes)[number];

/** A key as the service knows it: by its hash. */
export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly string[];
}
