/**
 * What an API key may be allowed to do. `admin` includes every other; `profiles` covers every route that writes data about people, and
 * `consents` and `erasures` are the narrow ones, for a consent service and a privacy desk that have no business with profiles.
 */
export const keyScopes = ['decide', 'explain', 'profiles', 'consents', 'erasures', 'admin'] as const;
export type KeyScope = (typeof keyScopes)[number];

/** A key as the service knows it: by its hash. */
export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the key, in lower-case hex. */
  readonly sha256: string;
  readonly scopes: readonly string[];
  /** Anybody can read it out of a web page: it may decide and nothing else, and without a proved person not above segment. */
  readonly publishable?: true;
  /** Over all processes that share a Redis. Absent: no limit. */
  readonly requestsPerSecond?: number;
  /** From this instant on it is no key. Absent: it has no end. */
  readonly notAfterMs?: number;
}

/** The keys of this moment. They may be replaced while the service runs, always by another list. */
export type ApiKeys = readonly ApiKey[] | (() => readonly ApiKey[]);
