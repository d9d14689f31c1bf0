/**
 * What OFREP 0.3.0 says an answer looks like, written from its specification and from what its reference clients read, and not from our
 * code. DEFAULT is a reason of OpenFeature's that the protocol's list leaves out and its examples use.
 */
import { expect } from 'vitest';
import { z } from 'zod';

const metadata = z.record(z.string(), z.union([z.boolean(), z.string(), z.number()]));
const reasons = ['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED', 'UNKNOWN', 'DEFAULT'] as const;
const value = z.union([z.boolean(), z.string(), z.number(), z.record(z.string(), z.unknown()), z.array(z.unknown())]);

const success = z.strictObject({
  key: z.string().min(1),
  reason: z.enum(reasons),
  variant: z.string().optional(),
  value: value.optional(),
  metadata: metadata.optional(),
});
const evaluationFailure = z.strictObject({
  key: z.string(),
  errorCode: z.enum(['PARSE_ERROR', 'TARGETING_KEY_MISSING', 'INVALID_CONTEXT', 'GENERAL']),
  errorDetails: z.string().optional(),
});
const flagNotFound = z.strictObject({ key: z.string(), errorCode: z.literal('FLAG_NOT_FOUND'), errorDetails: z.string().optional() });
const bulkFailure = z.strictObject({ errorCode: z.string(), errorDetails: z.string().optional() });
const origin = z.url().refine((url) => new URL(url).pathname === '/');
const endpoint = z.strictObject({ origin: origin.optional(), requestUri: z.string().regex(/^\//) });
const eventStream = z
  .strictObject({ type: z.string(), url: z.url().optional(), endpoint: endpoint.optional(), inactivityDelaySec: z.int().min(1).optional() })
  .refine(({ url, endpoint: parts }) => (url === undefined) !== (parts === undefined), 'exactly one of `url` and `endpoint`');
const bulkSuccess = z.strictObject({
  flags: z.array(z.union([success, evaluationFailure])),
  metadata: metadata.optional(),
  eventStreams: z.array(eventStream).optional(),
});

/** By status. A body with 401, 403, 429 or 500 is told nothing of, so it has the form that clients read of any other failure. */
const shapes: Readonly<Record<'single' | 'bulk', Readonly<Record<number, z.ZodType>>>> = {
  single: {
    200: success,
    304: z.undefined(),
    400: evaluationFailure,
    401: evaluationFailure,
    403: evaluationFailure,
    404: flagNotFound,
    429: evaluationFailure,
    500: evaluationFailure,
  },
  bulk: { 200: bulkSuccess, 304: z.undefined(), 400: bulkFailure, 401: bulkFailure, 403: bulkFailure, 429: bulkFailure, 500: bulkFailure },
};

/** Fails the test unless the answer is one that OFREP knows. */
export function checkOfrep(kind: 'single' | 'bulk', status: number, body: unknown): void {
  const shape = shapes[kind][status];
  expect(shape, `status ${status} is none of OFREP's`).toBeDefined();
  expect(shape?.safeParse(body).error?.issues ?? []).toEqual([]);
}
