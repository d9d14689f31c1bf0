/** Prints the approved variant of every zone of a policy, and the pages they stand on. */
import type { Artefact } from '../decision/artefact.ts';
import type { Json } from '../decision/value.ts';
import { formatProblem } from '../policy/problems.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import { createPolicyHolder } from '../start/held-policy.ts';
import { systemClock } from '../time/clock.ts';
import type { FallbacksOptions } from './fallbacks.ts';
import { foundProblems, printJson } from './outcome.ts';

export async function printFallbacks(path: string, { page }: FallbacksOptions): Promise<void> {
  const holder = createPolicyHolder(systemClock);
  const { problems } = await holder.load(path).catch((error) => {
    throw new CannotRun(`\`${path}\` cannot be read: ${systemSentence(error)}`);
  });
  const artefact = holder.current()?.artefact;
  if (artefact === undefined) {
    foundProblems();
    for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return;
  }
  if (page !== undefined && !Object.hasOwn(artefact.pages, page))
    throw new CannotRun(`policy \`${artefact.policy}\` has no page \`${page}\``);
  printJson(fallbackPack(artefact, page));
}

function fallbackPack(artefact: Artefact, page: string | undefined): Json {
  const { policy, revision } = artefact;
  const pages = Object.fromEntries(
    Object.entries(artefact.pages)
      .filter(([id]) => page === undefined || id === page)
      .map(([id, { zones }]) => [id, zones]),
  );
  const ids = page === undefined ? Object.keys(artefact.zones) : (pages[page] ?? []);
  return { policy, revision, pages, zones: Object.fromEntries(ids.map((id) => [id, approved(artefact, id)])) };
}

/** A ladder ends in a fixed variant, or its policy would not have loaded. */
function approved({ zones, variants }: Artefact, id: string): Json {
  const select = zones[id]?.ladder.at(-1)?.select;
  const variant = select?.by === 'choose' ? (select.rules[0]?.variant ?? null) : null;
  return { variant, content: variants[variant ?? '']?.content ?? null, render: 'now' };
}
