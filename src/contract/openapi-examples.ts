/** Requests that show each tier on the demo policy, and the ways down. What is personal in them belongs to people who do not exist. */
import type { DecideRequest } from './schemas.ts';

export interface ExampleCredentials {
  readonly token: string;
  readonly sessionId: string;
}

interface Example {
  readonly summary: string;
  readonly value: DecideRequest;
}

const allGranted = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
} as const;

/** Where no demo runs: a reader puts their own here. */
const placeholders: ExampleCredentials = { token: 'a token of your issuer', sessionId: 'as POST /v1/sessions answers' };

export function examples(credentials: ExampleCredentials | null): Readonly<Record<string, Example>> {
  const { token, sessionId } = credentials ?? placeholders;
  return {
    segment: {
      summary: 'segment: nothing but the request itself',
      value: { page: 'home', deadlineMs: 60, context: { country: 'DE', device: 'mobile', referrer: 'search' } },
    },
    anonymous: { summary: 'anonymous: nothing is known', value: { page: 'home', zones: ['hero'] } },
    session: {
      summary: 'session: this visit, with consent',
      value: {
        page: 'home',
        identity: { sessionId },
        consent: { useCases: { content_personalization: 'granted', offers: 'granted' } },
        context: { country: 'FR', device: 'desktop' },
      },
    },
    user: {
      summary: 'user: a verified person, with consent',
      value: {
        page: 'home',
        deadlineMs: 60,
        identity: { token },
        consent: { useCases: allGranted },
        context: { country: 'DE', device: 'mobile' },
      },
    },
    denied: {
      summary: 'a verified person who says no: a step down, and why',
      value: {
        page: 'home',
        identity: { token },
        consent: { useCases: { content_personalization: 'denied', offers: 'denied' } },
        context: { country: 'DE' },
      },
    },
    budgets: {
      summary: 'each zone with a budget of its own, explained',
      value: { zones: ['hero', { id: 'offer_rail', budgetMs: 25 }], deadlineMs: 60, explain: true },
    },
  };
}
