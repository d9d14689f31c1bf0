/** A plain question, and somebody who is proved, for a test to change what it is about. */
import { type Evidence, type IdentityEvidence, noEvidence, type TokenEvidence } from '../../src/decision/facts.ts';
import type { Question } from '../../src/decision/question.ts';

export const askedAtMs = Date.UTC(2026, 10, 21);

export const plainQuestion: Question = {
  nowMs: askedAtMs,
  audience: 'personal',
  page: null,
  zones: [],
  shownOffers: [],
  request: {},
  audiences: null,
  explain: false,
};

/** A good token of hers that nobody revoked, and no session and no device. */
export function identityOf(subject: string): IdentityEvidence {
  const token: TokenEvidence = {
    state: 'verified',
    subject,
    method: 'deterministic',
    expired: false,
    authTimeSeconds: null,
    generation: 0,
    binding: 'none',
  };
  return { ...noEvidence.identity, token, generation: { state: 'known', value: 0 }, tokenRevoked: { state: 'known', value: false } };
}

/** What it takes for the user rungs of either kind, said in the request itself. */
export const consentToAll: Evidence['consent'] = {
  signals: [
    {
      state: 'valid',
      useCases: {
        offers: 'granted',
        content_personalization: 'granted',
        profile_activation_content: 'granted',
        profile_activation_offer: 'granted',
      },
    },
  ],
  gpc: false,
  stored: { state: 'absent' },
  linked: { state: 'refused' },
};
