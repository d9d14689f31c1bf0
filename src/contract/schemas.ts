/**
 * The wire, said once: request and response types, the validation of bodies and the schemas of the OpenAPI document all come
 * from these zod schemas. Nothing here knows a policy: what it declares is checked in `attributes.ts`.
 */

import { z } from 'zod';
import { mergingReasons } from '../classes/table.ts';
import { lossReasons } from '../decision/decision.ts';
import { factStates } from '../decision/facts.ts';
import { causes, type Reason, reasons } from '../decision/reasons.ts';
import { consentStates, dependencies, identityStates, personalUseCases, renders, scopes, tiers, useCases } from '../decision/vocabulary.ts';
import { categoriesMax, consentSources, noticeVersionCharsMax } from '../records/consent-record.ts';
import { idLengthMax } from '../records/limits.ts';
import { daySeconds } from '../time/units.ts';
import { explainedCandidatesMax } from './answer-text.ts';
import { type ProblemCode, problemCodes } from './problem.ts';

export const zonesMax = 32;
const storedUseCasesMax = personalUseCases.length + categoriesMax;
const profileTtlSecondsMax = 400 * daySeconds;

const zoneId = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'a zone of the policy', examples: ['hero'] });
const milliseconds = z.int().min(0);
const saidState = z.enum(['granted', 'denied', 'unavailable', '']);
const consentModeState = z.string().describe('`granted` or `denied`');

const zoneAsked = z
  .union([
    zoneId,
    z.strictObject({
      id: zoneId,
      budgetMs: milliseconds.optional().describe('how long this zone waits; the smaller of this and the policy’s'),
    }),
  ])
  .describe('a zone id, or an object { "id", "budgetMs" }');

const attributeValue = z
  .union([z.string(), z.number(), z.boolean(), z.array(z.string())])
  .describe('text, a whole number, true or false, or a list of texts, as the policy declares');
const attributes = z.record(z.string(), attributeValue);

export const decideRequest = z
  .strictObject({
    page: z.string().max(64).optional().describe('a page of the policy; `page` or `zones` is needed'),
    zones: z.array(zoneAsked).min(1).max(zonesMax).optional().describe('absent: the zones of the page'),
    deadlineMs: milliseconds.optional().describe('how long the caller still waits, from when the request’s headers are read'),
    identity: z
      .strictObject({
        token: z.string().optional().describe('a signed token: who the visitor is'),
        proof: z.string().optional().describe('a DPoP proof by the holder of the token'),
        sessionId: z.string().optional().describe('as given by POST /v1/sessions'),
        deviceId: z
          .string()
          .optional()
          .describe('a remembered device; what stands for nobody, such as `undefined`, `null` or `0`, is taken for none'),
      })
      .optional(),
    consent: z
      .strictObject({
        tcf: z.string().optional().describe('an IAB TC string; one that cannot be read takes grants away'),
        gdprApplies: z.boolean().optional().describe('absent counts as true; where it does not apply a TC string only denies'),
        gpp: z.string().optional().describe('an IAB GPP string; a TC string may stand in it'),
        usPrivacy: z.string().optional().describe('a US Privacy string, such as `1YNN`'),
        googleConsentMode: z
          .strictObject({
            ad_storage: consentModeState.optional(),
            ad_user_data: consentModeState.optional(),
            ad_personalization: consentModeState.optional(),
            analytics_storage: consentModeState.optional(),
            functionality_storage: consentModeState.optional(),
            personalization_storage: consentModeState.optional(),
            security_storage: consentModeState.optional(),
            origin: z.string().optional().describe('`default` or `update`'),
          })
          .optional(),
        useCases: z
          .strictObject(optionalOf(useCases, saidState))
          .optional()
          .describe('what the visitor said for each use case; `unavailable` and the empty string say nothing'),
      })
      .optional(),
    context: z
      .record(z.string(), attributeValue)
      .optional()
      .describe('attributes that the policy declares under attributes.request, and `audiences` that it marks `edge: true`'),
    explain: z.boolean().optional().describe('needs the scope `explain`; an explained answer is never cacheable'),
  })
  .describe('What is asked. Nothing optional that is missing is ever an error.');
export type DecideRequest = z.infer<typeof decideRequest>;

const tier = z.enum(tiers);
const reason = z.enum(reasons as readonly [Reason, ...Reason[]]);
const score = z.strictObject({
  propensityPpm: z.int(),
  value: z.int(),
  contextPerMille: z.int(),
  leversPerMille: z.int(),
  priority: z.int(),
});

const explanation = z.strictObject({
  rungs: z.array(z.strictObject({ tier, gate: reason.nullable() })),
  candidates: z.array(
    z.strictObject({
      tier,
      offer: z.string().nullable(),
      variant: z.string(),
      lost: z.enum(lossReasons).nullable(),
      score: score.nullable(),
    }),
  ),
  candidatesOmitted: z
    .int()
    .optional()
    .describe(`of more than ${explainedCandidatesMax} candidates, how many of those furthest from being chosen are left out`),
  facts: z.strictObject({
    identity: z.string(),
    consent: z.enum(factStates),
    profile: z.enum(factStates),
    session: z.enum(factStates),
    audience: z.enum(factStates),
    model: z.enum(factStates),
  }),
});

const downgrade = z
  .strictObject({
    from: tier,
    to: tier,
    reason,
    cause: z.enum(causes),
    dependency: z.enum(dependencies).nullable(),
    steps: z.array(z.strictObject({ tier, reason })).describe('every rung above the served one, each with the first gate that failed'),
  })
  .describe('null exactly when the intended tier was served');

export const zoneDecision = z.strictObject({
  zone: z.string(),
  tier,
  intendedTier: tier,
  variant: z.string().nullable(),
  offer: z.string().nullable(),
  content: z.any().describe('what the variant renders, as the policy wrote it; null when the zone is suppressed'),
  render: z.enum(renders),
  downgrade: downgrade.nullable(),
  cache: z.strictObject({
    scope: z.enum(scopes),
    maxAgeSeconds: z.int().min(0),
    key: z.string().nullable(),
    tags: z.array(z.string()),
    degraded: z.boolean(),
  }),
  holdout: z.string().nullable(),
  propensityPpm: z.int().min(0).max(1_000_000).nullable(),
  explain: explanation.optional(),
});

const policyAnswer = z.strictObject({
  id: z.string(),
  revision: z.string(),
  stale: z.boolean().describe('a newer policy was given and did not load'),
});
const consentAnswer = z.strictObject({
  ...Object.fromEntries(useCases.map((useCase) => [useCase, z.enum(consentStates)])),
  gpc: z.strictObject({ received: z.boolean(), honored: z.array(z.enum(useCases)) }),
});

/** The closing line of a stream: everything but the zones. */
export const decideEnvelope = z.strictObject({
  decisionId: z.string(),
  policy: policyAnswer,
  deadline: z.strictObject({ declaredMs: milliseconds.nullable(), effectiveMs: milliseconds }),
  identity: z.strictObject({ state: z.enum(identityStates) }),
  consent: consentAnswer,
});
export const decideResponse = z.strictObject({ ...decideEnvelope.shape, zones: z.array(zoneDecision) });
export const sharedResponse = z.strictObject({ policy: policyAnswer, zones: z.array(zoneDecision) });

const classAttribute = z
  .looseObject({ name: z.string(), type: z.enum(['string', 'int', 'bool', 'timestamp', 'strings']) })
  .describe('how a value of this attribute becomes a class, a whole number; `raw: true`: it stands in the query as it is');
/** Its members are told in full where the table is made: `src/classes/table.ts`. */
export const classTable = z.strictObject({
  format: z.int().min(1).max(1),
  policy: z.strictObject({ id: z.string(), revision: z.string() }),
  page: z.string().nullable(),
  zones: z.array(z.string()).nullable(),
  validUntil: z.string().nullable().describe('RFC 3339; null: while this revision is in force'),
  merging: z.enum(['answers', 'attributes']).describe('`answers`: as many queries as different answers'),
  because: z.enum(mergingReasons).nullable().describe('why not `answers`'),
  query: z.string().describe('what every query begins with'),
  attributes: z.array(classAttribute),
  decision: z
    .strictObject({ start: z.int(), nodes: z.array(z.array(z.int())), queries: z.array(z.string()) })
    .nullable()
    .describe('a node is the place of its attribute and a target for each class of it; −1 is the first of `queries`, −2 the second'),
});

export const subjectSchema = z
  .string()
  .min(1)
  .max(idLengthMax)
  .describe('a person’s pseudonym: the `sub` of their tokens; not a word for nobody, such as `undefined`, `null` or `0`');
const ttlSeconds = z.int().min(1).max(profileTtlSecondsMax).describe('after this nothing remains; at most 400 days');
const instant = z.string().max(64).meta({ format: 'date-time', description: 'RFC 3339, such as 2026-11-21T12:00:00Z' });
const audiences = z.array(z.string().min(1).max(64)).max(256);

export const profileSchema = z.strictObject({
  attributes: attributes.optional(),
  audiences: audiences.optional(),
  ttlSeconds: ttlSeconds.optional().describe('absent: 90 days'),
});
export const profileRead = z.strictObject({ attributes, audiences, ttlSeconds });
export const identitySchema = z.strictObject({
  subject: subjectSchema,
  method: z.enum(['deterministic', 'probabilistic']),
  confidencePpm: z.int().min(0).max(1_000_000).optional().describe('absent: 1000000'),
});
export const consentSchema = z.strictObject({
  useCases: z.record(z.string(), z.enum(consentStates)).describe(`${personalUseCases.join(', ')} and \`category:<name>\``),
  recordedAt: instant.describe('RFC 3339, such as 2026-11-21T12:00:00Z; at most 5 minutes ahead of the clock here'),
  noticeVersion: z
    .string()
    .min(1)
    .max(noticeVersionCharsMax)
    .optional()
    .describe('of the notice that was shown: letters, digits and `_.:+-`, which your own consent ledger knows'),
});
export const consentRead = z.strictObject({
  useCases: z.record(z.string(), z.enum(consentStates)).describe(`${personalUseCases.join(', ')} and \`category:<name>\``),
  recordedAt: instant.describe('when what it denies was said last'),
  grantedAt: instant.optional().describe('when what it grants was said, where that is earlier'),
  generation: z.int().min(1).describe('raised by every write of the record'),
  source: z.enum(consentSources).describe('who wrote it last'),
  noticeVersion: z.string().optional(),
  expiresAt: instant,
});
export const withdrawalSchema = z.strictObject({
  useCases: z
    .array(z.string())
    .min(1)
    .max(storedUseCasesMax)
    .optional()
    .describe(`absent: all of ${personalUseCases.join(', ')}, and every \`category:<name>\` of the record`),
});
export const withdrawalDone = z.strictObject({ generation: z.int().min(1), recordedAt: instant });
export const sessionSchema = z.strictObject({ attributes: attributes.optional() });
export const sessionPatchSchema = z.strictObject({ attributes });
const sessionToken = z.strictObject({ token: z.string(), requestUri: z.string(), expiresAt: z.string() });
export const sessionTokens = z.strictObject({ stream: sessionToken, artefact: sessionToken });
export const sessionCreated = z.strictObject({ sessionId: z.string(), expiresAt: z.string() });
export const revocationSchema = z
  .strictObject({
    subject: subjectSchema.optional(),
    jti: z.string().min(1).max(idLengthMax).optional(),
    until: instant.optional(),
  })
  .describe('either { "subject" }, or { "jti", "until" }');
export const generationRaised = z.strictObject({ generation: z.int().min(1).describe('tokens need at least this `gen` from now on') });

export const erasureSchema = z.strictObject({ subject: subjectSchema });
export const erasureRead = z.strictObject({
  id: z.string().describe('names the erasure, and says nothing of whom it is about'),
  state: z.enum(['running', 'completed']).describe('`running`: ask for the same erasure again, and it does what is left to do'),
  requestedAt: instant,
  completedAt: instant.nullable(),
  tombstoneUntil: instant.describe('until then nothing is written for the subject'),
  backupHorizonDays: z.int().describe('no backup that is older may be restored without erasing again'),
});
export const exportRead = z.strictObject({
  subject: z.string(),
  profile: z.strictObject({ attributes, audiences, expiresAt: instant }).nullable(),
  consent: consentRead.nullable(),
  identities: z.array(
    z.strictObject({
      name: z.string().describe('of the record; the device’s own id is not stored'),
      method: z.enum(['deterministic', 'probabilistic']),
      confidencePpm: z.int(),
      expiresAt: instant,
    }),
  ),
  generation: z.int(),
  erasure: erasureRead.nullable(),
});

export const problemResponse = z
  .strictObject({
    type: z.enum(problemCodes.map((code) => `urn:stepwell:problem:${code}`) as [string, ...string[]]),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(problemCodes as readonly [ProblemCode, ...ProblemCode[]]),
    requestId: z.string(),
    errors: z
      .array(
        z.strictObject({
          in: z.enum(['body', 'query', 'header', 'path']),
          pointer: z.string().describe('a JSON pointer to the place'),
          detail: z.string().describe('what is wrong there, and what to write instead'),
        }),
      )
      .optional(),
  })
  .describe('RFC 9457. It names places and what to write there, and never repeats a value.');

function optionalOf<K extends string, S extends z.ZodType>(keys: readonly K[], schema: S): Record<K, z.ZodOptional<S>> {
  return Object.fromEntries(keys.map((key) => [key, schema.optional()])) as Record<K, z.ZodOptional<S>>;
}
