/**
 * What can be wrong with a policy: one closed table of codes, and the report that collects every mistake with its place.
 * Messages say what to write instead; they are lower case and quote the author's own words in backticks.
 */

/** Every code a problem can carry. Tools may depend on these words; the messages may improve. */
export const problemCodes = [
  // The document as text.
  'document-too-large',
  'document-too-deep',
  'syntax',
  'yaml-version',
  'duplicate-key',
  'key-not-text',
  'merge-key',
  'alias-too-large',
  'unknown-alias',
  'not-json',
  // Shape and bounds of fields.
  'wrong-type',
  'unknown-field',
  'missing-field',
  'out-of-bounds',
  'unknown-value',
  'invalid-name',
  'invalid-date',
  'too-many',
  'repeated-value',
  'unsupported-version',
  'not-acted-on',
  // Sources that are asked over HTTP.
  'url-not-allowed',
  'header-not-allowed',
  'variable-not-allowed',
  'secret-in-policy',
  'source-not-allowed',
  'model-without-source',
  // Names that must resolve.
  'unknown-variant',
  'unknown-zone',
  'unknown-audience',
  'unknown-attribute',
  'unknown-tag',
  // Ladders and offers.
  'rung-selection',
  'ladder-order',
  'ladder-without-anonymous',
  'anonymous-not-fixed',
  'anonymous-sensitive',
  'anonymous-empty',
  'approval-missing',
  'approval-expired',
  'approval-not-yet',
  'rule-unreachable',
  'rung-reads-too-much',
  'device-not-allowed',
  'device-unmarked',
  'device-unreached',
  'offer-never-reached',
  'tag-unselected',
  'class-not-enabled',
  'class-above-rung',
  'id-not-opaque',
  'deadline-out-of-bounds',
  // Conditions.
  'expression-syntax',
  'expression-type',
  'expression-unsupported',
  'expression-too-large',
  'integer-out-of-bounds',
  'value-not-allowed',
  'too-much-work',
  'condition-constant',
  'division-by-zero',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export interface PolicyProblem {
  readonly severity: 'error' | 'warning';
  readonly code: ProblemCode;
  readonly file: string;
  /** 1-based, as editors count. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export function formatProblem(problem: PolicyProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.severity}: ${problem.message}`;
}

/** Collects problems; places are offsets into the text, so that reading a large policy makes no position nobody asks for. */
export interface Report {
  error(code: ProblemCode, offset: number, message: string): void;
  warning(code: ProblemCode, offset: number, message: string): void;
}

/** Beyond this many a list of problems helps nobody, and a broken document of megabytes must not fill the memory. */
export const problemsMax = 1_000;

export interface ProblemReport extends Report {
  problems(): readonly PolicyProblem[];
  failed(): boolean;
}

export function problemReport(file: string, placeOf: (offset: number) => { line: number; column: number }): ProblemReport {
  const problems: PolicyProblem[] = [];
  const seen = new Set<string>();
  let errors = 0;
  const add = (severity: PolicyProblem['severity'], code: ProblemCode, offset: number, message: string) => {
    if (severity === 'error') errors++;
    const key = `${severity} ${code} ${offset} ${message}`;
    if (problems.length >= problemsMax || seen.has(key)) return;
    seen.add(key);
    problems.push({ severity, code, file, ...placeOf(offset), message });
  };
  return {
    error: (code, offset, message) => add('error', code, offset, message),
    warning: (code, offset, message) => add('warning', code, offset, message),
    failed: () => errors > 0,
    problems: () => problems.toSorted((a, b) => a.line - b.line || a.column - b.column),
  };
}
