/** What an API key may be allowed to do. `admin` includes every other. */
export const keyScopes = ['decide', 'explain', 'profiles', 'admin'] as const;
export type KeyScope = (typeof keyScopes)[number];
