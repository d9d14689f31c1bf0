/** Stored consent on the wire: what a withdrawal takes back, and what a record is answered with. */
import { personalUseCases } from '../decision/vocabulary.ts';
import type { ConsentRecord, HeldConsent, StoredUseCase, Withdrawal } from '../records/consent-record.ts';
import { instantText } from './instant-text.ts';
import { invalidRequest, type ProblemPlace, pointerOf } from './problem.ts';
import { isStoredUseCase, storedUseCaseSentence } from './records.ts';
import { withdrawalSchema } from './schemas.ts';
import { validatorOf } from './validate.ts';

const readWithdrawal = validatorOf(withdrawalSchema);

/** What is taken back. Without a body, or without a list, everything: to say no must never fail for want of a word. */
export function toWithdrawal(body: unknown): Withdrawal['useCases'] {
  const { useCases } = body === undefined ? {} : readWithdrawal(body);
  if (useCases === undefined) return null;
  const wrong = useCases.flatMap((name, index): ProblemPlace[] =>
    isStoredUseCase(name) ? [] : [{ pointer: pointerOf(['useCases', index]), detail: storedUseCaseSentence }],
  );
  if (wrong.length > 0) throw invalidRequest(wrong);
  return useCases as readonly StoredUseCase[];
}

export function withdrawalAnswer({ generation, recordedAtMs }: ConsentRecord) {
  return { generation, recordedAt: instantText(recordedAtMs) };
}

/** The personal use cases in their order, then the categories. */
export function consentAnswer({ useCases, recordedAtMs, grantedAtMs, generation, source, noticeVersion, expiresAtMs }: HeldConsent) {
  const rank = (name: string): number => {
    const position = (personalUseCases as readonly string[]).indexOf(name);
    return position < 0 ? personalUseCases.length : position;
  };
  return {
    useCases: Object.fromEntries(Object.entries(useCases).sort(([a], [b]) => rank(a) - rank(b))),
    recordedAt: instantText(recordedAtMs),
    ...(grantedAtMs === undefined ? {} : { grantedAt: instantText(grantedAtMs) }),
    generation,
    source,
    ...(noticeVersion === undefined ? {} : { noticeVersion }),
    expiresAt: instantText(expiresAtMs),
  };
}
