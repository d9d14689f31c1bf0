/** Which dependencies may be HTTP services, and what each is asked with. */
import type { Dependency } from '../decision/vocabulary.ts';

/** The others are always the store's. */
export const sourced = ['identity', 'profile', 'audience', 'model'] as const satisfies readonly Dependency[];
export type Sourced = (typeof sourced)[number];

/** Whom a source is asked about, or which device: the variable in its address, and the field of a POST. */
export const variableOf = {
  identity: 'deviceId',
  profile: 'subject',
  audience: 'subject',
  model: 'subject',
} as const satisfies Readonly<Record<Sourced, string>>;
export type Variable = (typeof variableOf)[Sourced];
