/** Holds what a client of OpenFeature was told against a case of the table. */
import { expect } from 'vitest';
import type { Details } from './clients.ts';
import type { Case } from './scenarios.ts';

export function checkDetails(details: Details, expected: Case): void {
  const { value, reason, errorCode, variant } = expected;
  expect({ value: details.value, reason: details.reason, errorCode: details.errorCode }).toEqual({ value, reason, errorCode });
  if (variant !== undefined) expect(details.variant).toBe(variant);
  if (expected.metadata !== undefined) expect(details.flagMetadata).toMatchObject(expected.metadata);
}
