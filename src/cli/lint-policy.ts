/** Says everything that is wrong with a policy, each with its place, and what is marked for devices in vain, without serving it. */
import { type Artefact, deviceDefaults } from '../decision/artefact.ts';
import { type LeftOut, leftOutReasons, trim } from '../device/trim.ts';
import { createDeviceArtefacts, tooLargeSentence } from '../http/device-artefacts.ts';
import { artefactKeysOf, newArtefactKey } from '../identity/artefact-keys.ts';
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
  const keptFromDevices = artefact === null ? [] : markedInVain(artefact, systemClock.nowMs());
  const deviceArtefactTooLarge = artefact !== null && (await isTooLargeForDevices(artefact));
  if (json) {
    printJson({
      file: path,
      policy: artefact?.policy ?? null,
      revision: artefact?.revision ?? null,
      errors,
      warnings,
      problems,
      keptFromDevices,
      deviceArtefactTooLarge,
    });
    return;
  }
  for (const problem of problems) process.stdout.write(`${formatProblem(problem)}\n`);
  for (const left of keptFromDevices) process.stdout.write(`${path}: ${sentenceOf(left)}\n`);
  if (deviceArtefactTooLarge) process.stdout.write(`${path}: note: ${tooLargeSentence}\n`);
  const verdict = artefact === null ? 'does not load' : `loads as \`${artefact.policy}\`, revision ${artefact.revision.slice(0, 12)}`;
  const atLeast = problems.length < problemsMax ? '' : 'at least ';
  process.stdout.write(`${path}: ${verdict} (${atLeast}${numbered(errors, 'error')}, ${numbered(warnings, 'warning')})\n`);
}

/**
 * What is marked, and yet no device is given. Of where a device decides nothing anyway, the marks themselves tell: it is the same offer that
 * stands on a user rung, too.
 */
function markedInVain(artefact: Artefact, nowMs: number): readonly LeftOut[] {
  if (!(artefact.device ?? deviceDefaults).enabled) return [];
  return trim(artefact, nowMs).leftOut.filter((left) => left.why !== 'rung' && isMarked(artefact, left));
}

/** Made as the service makes it: a key has no part in its length. */
async function isTooLargeForDevices(artefact: Artefact): Promise<boolean> {
  const keys = artefactKeysOf(newArtefactKey());
  return (await createDeviceArtefacts({ keys: () => keys, clock: systemClock }).current(artefact)) === 'too_large';
}

function isMarked({ zones, offers }: Artefact, { zone, tier, rule, offer }: LeftOut): boolean {
  if (offer !== null) return offers[offer]?.device === true;
  const select = zones[zone]?.ladder.find((rung) => rung.tier === tier)?.select;
  return rule !== null && select?.by === 'choose' && select.rules[rule]?.device === true;
}

function sentenceOf({ zone, tier, rule, offer, why }: LeftOut): string {
  const what = offer === null ? `rule ${(rule ?? 0) + 1}` : `offer \`${offer}\``;
  return `note: ${what} on the ${tier} rung of zone \`${zone}\` is marked \`device: true\` and stays off devices: ${leftOutReasons[why]}`;
}

function numbered(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}

function count(problems: readonly PolicyProblem[], severity: PolicyProblem['severity']): number {
  return problems.filter((problem) => problem.severity === severity).length;
}
