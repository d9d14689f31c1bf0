/** What OFREP's routes take and answer, for the OpenAPI document. What is read of a body is looked at member by member, in `ofrep-request.ts`. */
import { z } from 'zod';
import { tiers } from '../decision/vocabulary.ts';
import { ofrepErrorCodes, ofrepReasons } from './ofrep-answer.ts';

const metadata = z
  .record(z.string(), z.string())
  .describe(
    `flat: \`tier\` and \`intendedTier\` (${tiers.join(', ')}), \`downgradeReason\` and \`downgradeCause\` where it is not the intended one, \`cacheScope\`, \`policy\`, \`revision\`; \`render\` where it is not \`now\`; \`ignoredContext\`: names of the context whose values could not be used`,
  );

export const ofrepRequest = z.object({
  context: z
    .looseObject({
      targetingKey: z.string().optional().describe('breaks ties where nobody is proved; it never says who somebody is'),
      page: z.string().optional().describe('which zones the bulk call lists; absent, or no page of the policy: all'),
      token: z.string().optional().describe('a signed token: who the visitor is'),
      proof: z.string().optional().describe('a DPoP proof by the holder of the token'),
      sessionId: z.string().optional().describe('as given by POST /v1/sessions'),
      deviceId: z.string().optional().describe('a remembered device'),
      consent: z
        .record(z.string(), z.unknown())
        .optional()
        .describe('as in POST /v1/decide; beside what cannot be read, nothing is granted'),
    })
    .describe('besides these, the attributes that the policy declares under attributes.request, by name; every other member is ignored'),
});

export const ofrepFlag = z.object({
  key: z.string().describe('the zone'),
  reason: z
    .enum(ofrepReasons)
    .describe(
      'TARGETING_MATCH above anonymous, SPLIT when drawn by chance, DEFAULT for the approved anonymous variant, DISABLED for a zone that is switched off',
    ),
  variant: z.string().optional(),
  value: z.any().optional().describe('what the variant holds; absent only where the policy says null'),
  metadata,
});

export const ofrepFlags = z.object({
  flags: z.array(ofrepFlag).describe('sorted by key'),
  metadata: z.object({ ignoredContext: z.string() }).optional(),
  eventStreams: z
    .array(
      z.object({ type: z.enum(['sse']), endpoint: z.object({ requestUri: z.string() }), inactivityDelaySec: z.int().min(1).max(86_400) }),
    )
    .optional()
    .describe(
      'where a page hears that it should ask again; the address holds a token of this visitor, good for minutes: do not keep or log it',
    ),
});

export const ofrepFailure = z.object({
  key: z.string().optional().describe('the flag that was asked for, where it was one'),
  errorCode: z.enum(ofrepErrorCodes),
  errorDetails: z.string().describe('what is wrong, and what to write instead'),
});
