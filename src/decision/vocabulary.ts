/**
 * The closed lists that every other floor speaks in: tiers, use cases, identity and consent states, classes, dependencies.
 * Each is a table, so that schemas, documents and metrics are made from it and cannot drift.
 */

/** Ordered from the highest to the lowest: a ladder's rungs keep this order. */
export const tiers = ['user', 'session', 'segment', 'anonymous'] as const;
export type Tier = (typeof tiers)[number];

const heights: Readonly<Record<Tier, number>> = { user: 3, session: 2, segment: 1, anonymous: 0 };

/** 3 for `user` down to 0 for `anonymous`: a higher number is a higher tier. */
export function tierHeight(tier: Tier): number {
  return heights[tier];
}

/** The two use cases that touch nothing known about a person: only the request itself speaks for them. */
export const contextualUseCases = ['contextual_content', 'contextual_offer'] as const;

/** The six use cases a stored consent record may speak for. */
export const personalUseCases = [
  'content_personalization',
  'offers',
  'profile_activation_content',
  'profile_activation_offer',
  'analytics_content',
  'analytics_offer',
] as const;
export type PersonalUseCase = (typeof personalUseCases)[number];

/** In the order in which an answer lists them. */
export const useCases = [...contextualUseCases, ...personalUseCases] as const;
export type UseCase = (typeof useCases)[number];

/** What `Sec-GPC: 1` denies. */
export const gpcUseCases = [
  'offers',
  'profile_activation_content',
  'profile_activation_offer',
  'analytics_offer',
] as const satisfies readonly UseCase[];

export const consentStates = ['unavailable', 'denied', 'granted'] as const;
export type ConsentState = (typeof consentStates)[number];

export const identityStates = ['anonymous', 'session_known', 'partial', 'high_confidence'] as const;
export type IdentityState = (typeof identityStates)[number];

/** How sensitive a piece of logic is: request facts, ordinary behaviour, elevated, special category. */
export const classes = ['S0', 'S1', 'S2', 'S3'] as const;
export type Class = (typeof classes)[number];

export function higherClass(a: Class, b: Class): Class {
  return classes.indexOf(a) >= classes.indexOf(b) ? a : b;
}

export const dependencies = ['identity', 'consent', 'profile', 'session', 'audience', 'model'] as const;
export type Dependency = (typeof dependencies)[number];

/** A zone decides about content or about offers; the kind picks the pair of use cases it asks for. */
export const kinds = ['content', 'offer'] as const;
export type Kind = (typeof kinds)[number];

/** From the least strict to the strictest. */
export const lateModes = ['fallback', 'defer', 'suppress'] as const;
export type LateMode = (typeof lateModes)[number];

export const renders = ['now', 'defer', 'suppress'] as const;
export type Render = (typeof renders)[number];

export const scopes = ['none', 'private', 'segment', 'public'] as const;
export type Scope = (typeof scopes)[number];

/** Which use cases a zone's kind needs: to look at the request, to select by behaviour, to read the long-lived profile. */
export const useCasesOfKind = {
  content: { contextual: 'contextual_content', select: 'content_personalization', activation: 'profile_activation_content' },
  offer: { contextual: 'contextual_offer', select: 'offers', activation: 'profile_activation_offer' },
} as const satisfies Record<Kind, { contextual: UseCase; select: PersonalUseCase; activation: PersonalUseCase }>;
