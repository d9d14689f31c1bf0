/** The reference pages that are made from tables: what can be answered as a problem, and why a tier can be lower than intended. */
import { causes, reasons, reasonTable } from '../decision/reasons.ts';
import { problemCodes, problemTable, problemType } from './problem.ts';

const notice = (table: string) => `<!-- Made from ${table} by \`npm run generate\`; edit the table, not this page. -->`;

export function errorsPage(): string {
  const rows = problemCodes.map((code) => {
    const { status, title, sentence } = problemTable[code];
    return `| ${status} | \`${problemType(code)}\` | ${title} | ${sentence} |`;
  });
  return `# Errors

${notice('src/contract/problem.ts')}

Every error is \`application/problem+json\` (RFC 9457) with a stable \`type\`, and \`code\`, its last part. Where places can be named,
\`errors\` lists them: \`in\` (body, query, header or path), a JSON \`pointer\`, and in \`detail\` what is wrong there and what to write
instead. No error repeats a value that was sent. A degraded decision is no error: it is a 200 that says in \`downgrade\` what was missing.

| status | type | title | meaning |
|---|---|---|---|
${rows.join('\n')}

A 503 and a 429 carry \`Retry-After\`, a 405 \`Allow\`, a 401 \`WWW-Authenticate\`. All carry \`Cache-Control: private, no-store\`.
`;
}

export function reasonsPage(): string {
  const sections = causes.map((cause) => {
    const rows = reasons
      .filter((reason) => reasonTable[reason].cause === cause)
      .map((reason) => `| \`${reason}\` | ${reasonTable[reason].dependency ?? ''} | ${reasonTable[reason].sentence} |`);
    return `## ${cause}\n\n| reason | dependency | meaning |\n|---|---|---|\n${rows.join('\n')}`;
  });
  return `# Downgrade reasons

${notice('src/decision/reasons.ts')}

Why a zone was not served its intended tier. The list is closed; each reason has one cause. They appear in \`downgrade.reason\` and
\`downgrade.steps\` of an answer, in spans, and as labels of \`stepwell_decisions_total\`.

${sections.join('\n\n')}
`;
}
