/**
 * One line of a data file to one write: the fields and the checks of the data routes, with what stands in a route's address as
 * fields beside them. Total: a bad line is sentences that name the place and what is allowed, never what stood there.
 */
import { parseJsonBody } from '../contract/json-text.ts';
import { invalidRequest, ProblemError } from '../contract/problem.ts';
import { toConsentWrite, toIdentityWrite, toProfileWrite, toSession } from '../contract/records.ts';
import type { Artefact } from '../decision/artefact.ts';
import type { Session } from '../decision/facts.ts';
import type { StoreWrite } from '../records/store.ts';

export type DataLine =
  | { readonly outcome: 'write'; readonly write: StoreWrite }
  /** It has no id yet: who loads it mints one. */
  | { readonly outcome: 'session'; readonly session: Session }
  | { readonly outcome: 'bad'; readonly why: readonly string[] };

const kinds = ['profile', 'identity', 'consent', 'session'] as const;
type Kind = (typeof kinds)[number];

/** `nowMs`: a record may not come from the future. */
export function readDataLine(bytes: Buffer, { artefact, nowMs }: { readonly artefact: Artefact; readonly nowMs: number }): DataLine {
  try {
    const { kind, fields } = readKind(parseJsonBody(bytes));
    return readFields(kind, fields, artefact, nowMs);
  } catch (error) {
    if (error instanceof ProblemError) return { outcome: 'bad', why: sentencesOf(error) };
    throw error;
  }
}

function readKind(line: unknown): { readonly kind: Kind; readonly fields: Readonly<Record<string, unknown>> } {
  if (typeof line !== 'object' || line === null || Array.isArray(line)) throw wrong('', 'this is no object: write { "kind": …, … }');
  const { kind, ...fields } = line as Record<string, unknown>;
  const known = kinds.find((name) => name === kind);
  if (known === undefined) throw wrong('/kind', `this is no kind of record: write one of ${kinds.join(', ')}`);
  return { kind: known, fields };
}

function readFields(kind: Kind, fields: Readonly<Record<string, unknown>>, artefact: Artefact, nowMs: number): DataLine {
  switch (kind) {
    case 'profile': {
      const { subject, ...body } = fields;
      return { outcome: 'write', write: toProfileWrite(textOf(subject, 'subject'), body, artefact, nowMs) };
    }
    case 'consent': {
      const { subject, ...body } = fields;
      return { outcome: 'write', write: toConsentWrite(textOf(subject, 'subject'), body, nowMs, 'load') };
    }
    case 'identity': {
      const { namespace, value, ...body } = fields;
      const id = { namespace: textOf(namespace, 'namespace'), value: textOf(value, 'value') };
      return { outcome: 'write', write: toIdentityWrite(id, body) };
    }
    case 'session':
      return { outcome: 'session', session: toSession(fields, artefact) };
  }
}

function textOf(value: unknown, field: string): string {
  if (typeof value !== 'string')
    throw wrong(`/${field}`, value === undefined ? 'this is missing: write text' : 'this is not text: write text');
  return value;
}

function wrong(pointer: string, detail: string): ProblemError {
  return invalidRequest([{ in: 'body', pointer, detail }]);
}

function sentencesOf({ message, errors }: ProblemError): readonly string[] {
  return errors.length === 0 ? [message] : errors.map(({ pointer, detail }) => (pointer === '' ? detail : `${pointer}: ${detail}`));
}
