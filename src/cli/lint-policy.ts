/** Says everything that is wrong with a policy, each with its place, without serving it. */
import { formatProblem, type PolicyProblem, problemsMax } from '../policy/problems.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import { createPolicyHolder } from '../start/held-policy.ts';
import { systemClock } from '../time/clock.ts';
import type { LintOptions } from './lint.ts';
import { foundProblems, printJson } from './outcome.ts';

export async function lintPolicy(path: string, { json }: LintOptions): Promise<void> {
  const holder = createPolicyHolder(systemClock);
  const { problems } = await holder.load(path).catch((error) => {
    throw new CannotRun(`\`${path}\` cannot be read: ${systemSentence(error)}`);
  });
  const artefact = holder.current()?.artefact ?? null;
  const errors = count(problems, 'error');
  const warnings = count(problems, 'warning');
  if (artefact === null) foundProblems();
  if (json) {
    printJson({ file: path, policy: artefact?.policy ?? null, revision: artefact?.revision ?? null, errors, warnings, problems });
    return;
  }
  for (const problem of problems) process.stdout.write(`${formatProblem(problem)}\n`);
  const verdict = artefact === null ? 'does not load' : `loads as \`${artefact.policy}\`, revision ${artefact.revision.slice(0, 12)}`;
  const atLeast = problems.length < problemsMax ? '' : 'at least ';
  process.stdout.write(`${path}: ${verdict} (${atLeast}${numbered(errors, 'error')}, ${numbered(warnings, 'warning')})\n`);
}

function numbered(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}

function count(problems: readonly PolicyProblem[], severity: PolicyProblem['severity']): number {
  return problems.filter((problem) => problem.severity === severity).length;
}
