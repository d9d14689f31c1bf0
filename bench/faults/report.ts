/** What was found, as lines for who waits and as the page `docs/faults.md`. */
import type { Machine } from '../machine.ts';
import { table } from '../report.ts';
import { catalogue, type Fault, isHere } from './catalogue.ts';
import { aims, type OvershootReport, overshootTable } from './overshoot.ts';
import { type Finding, percent, type Timing } from './trial.ts';

const heads = [
  'fault',
  'decisions',
  'lost',
  'wrong tier',
  'worst overshoot ms: service / caller',
  'user tier kept',
  'recovery ms',
  'reasons seen',
  'survived',
];

export function tableOf(findings: readonly Finding[]): string {
  return table(heads, findings.map(rowOf));
}

function rowOf(finding: Finding): string[] {
  const names = finding.ids.map((id) => `${id} ${catalogue.find((entry) => entry.id === id)?.name ?? ''}`);
  const reasons = Object.entries(finding.reasons).sort(([, a], [, b]) => b - a);
  return [
    names.join(' + '),
    `${finding.decisions.toLocaleString('en')}${finding.shed > 0 ? ` (${finding.shed} refused)` : ''}`,
    `${finding.lost}`,
    `${finding.wrong}`,
    `${finding.overshootServerMs.toFixed(1)} / ${finding.overshootClientMs.toFixed(1)}`,
    finding.userShare === null ? 'nobody may' : percent(finding.userShare),
    finding.recoveryMs === null ? 'never' : `${Math.round(finding.recoveryMs)}`,
    reasons.map(([reason]) => `\`${reason}\``).join(', '),
    finding.complaints.length === 0 ? 'yes' : `no: ${finding.complaints.map(({ text }) => text).join('; ')}`,
  ];
}

export function findingLine(faults: readonly Fault[], finding: Finding): string {
  const { decisions, lost, wrong, overshootServerMs, overshootClientMs, recoveryMs, complaints, notes } = finding;
  const name = faults.map((fault) => `${fault.id} ${fault.name}`).join(' + ');
  const told = [
    `${decisions} decisions`,
    `${lost} lost`,
    `${wrong} wrong`,
    `late by ${overshootServerMs.toFixed(1)} / ${overshootClientMs.toFixed(1)} ms`,
    `back after ${recoveryMs === null ? 'never' : `${Math.round(recoveryMs)} ms`}`,
    ...notes,
  ];
  return `${complaints.length === 0 ? 'ok  ' : 'NOT '} ${name}: ${told.join(', ')}${complaints.map(({ text }) => `\n     ${text}`).join('')}`;
}

/** In the page: what stands between the two is kept by the other command. */
const overshootMarks = ['<!-- overshoot -->', '<!-- end of overshoot -->'] as const;

export function overshootIn(page: string): string {
  const [begin, end] = overshootMarks;
  return page.split(begin)[1]?.split(end)[0]?.trim() ?? '';
}

export function withOvershoot(page: string, text: string): string {
  const [begin, end] = overshootMarks;
  const [before = '', rest = ''] = page.split(begin);
  const [, after = ''] = rest.split(end);
  return `${before}${begin}\n\n${text}\n\n${end}${after}`;
}

interface OvershootPage {
  readonly report: OvershootReport;
  readonly machine: Machine;
  readonly busyBefore: number;
}

export function overshootText({ report, machine, busyBefore }: OvershootPage): string {
  const { greatestPerSecond, askedPerSecond } = report;
  return `\`npm run faults -- --overshoot\`: ${machine.processor}, ${machine.processors} CPUs, Node ${process.versions.node}; busy with other work beforehand:
${Math.round(busyBefore * 100)} %. The service, one process, answers at most ${greatestPerSecond.toLocaleString('en')} such questions a second; it is asked half of that, ${askedPerSecond.toLocaleString('en')}, whatever
becomes of the answers, by callers that share the CPUs with it, with Redis and with the network between. The aim: p99.9 at most ${aims.p999Ms} ms late, nothing over ${aims.maxMs} ms.

${overshootTable(report)}`;
}

interface Page {
  readonly findings: readonly Finding[];
  readonly machine: Machine;
  readonly busyBefore: number;
  readonly timing: Timing;
  readonly minutes: number;
}

export function faultsPage({ findings, machine, busyBefore, timing, minutes }: Page): string {
  const here = catalogue.filter(isHere);
  const notHere = catalogue.filter((entry) => !isHere(entry));
  const survived = findings.filter(({ complaints }) => complaints.length === 0).length;
  const known = findings.flatMap(({ ids, complaints }) => {
    const why = complaints.length === 0 ? undefined : here.find(({ id }) => id === ids[0])?.known;
    return why === undefined ? [] : [`- ${ids[0]} is not survived: ${why}.`];
  });
  const notes = findings.filter((each) => each.notes.length > 0).map(({ ids, notes: told }) => `- ${ids.join(' + ')}: ${told.join('; ')}`);
  const total = findings.reduce((sum, { decisions }) => sum + decisions, 0);
  return `# Faults

What the service does when things around it break, tried and measured. This page is written by the command itself:

    npm run faults                        # every fault, ${Math.ceil(minutes)} minutes
    npm run faults -- --only F03,F07      # some
    npm run faults -- --quick             # all, for shorter; keeps nothing
    npm run faults -- --pairs 20 --seed 7 # two at once, drawn by the seed; keeps nothing
    npm run faults -- --overshoot         # how late answers are at half of the greatest load; keeps its table below

The last whole run: ${machine.processor}, ${machine.processors} CPUs, ${machine.memoryGib} GiB, ${machine.system}, Node ${process.versions.node};
busy with other work beforehand: ${Math.round(busyBefore * 100)} %. ${total.toLocaleString('en')} decisions, **${survived} of ${findings.length} faults survived**;
${notHere.length} of the catalogue have nothing to break in this version and are listed below.

## How

A real service process on a real Redis of its own, with a network between the two that misbehaves on demand. Callers in a process of their
own ask ${timing.requestsPerSecond} times a second whatever becomes of the answers: eighteen kinds of people, with deadlines of 20, 60 and 120 ms. ${timing.calmMs / 1000} s of calm,
the fault for ${timing.faultMs / 1000} s unless it says otherwise, ${timing.afterMs / 1000} s after it; seed ${timing.seed}.

- **lost**: no valid decision within the deadline and ${timing.toleranceMs} ms, which is for the caller's own machine.
- **wrong tier**: the answer shows more than evidence and consent allow, or something that is another person's. The callers know the most that
  each person may be shown from the contract, not from the service; every person's content names that person; while the store is gone nobody may
  be served above segment; and some people change their consent all the while, so that an acknowledged denial must hold at once.
- **worst overshoot**: beyond the declared deadline, from the fault's beginning to the end: by the service's own account (\`Server-Timing\`) and as
  the caller saw it.
- **user tier kept**: during the fault, of those who may have it.
- **recovery**: from the fault's end to the first answer at the user tier; a few milliseconds are the time to the next question. Where Redis helps
  itself (F25, F26, F31, F32): from the fault's beginning until, for half a second, nine in ten of those who may have the user tier have it.

A fault is survived when nothing is lost or wrong, nothing is later than its bound (25 ms, unless the fault itself stops the process), the user tier
is back in time (1 s for a single Redis, 4.5 s for a Cluster and 3.5 s for Sentinels that fail over) and whole at the end, and no reason is given that is not one of this fault's.

## What was found

${tableOf(findings)}

${[...known, ...notes].join('\n')}

## How late at half of the greatest load

${overshootMarks.join('\n\n')}

## What is done

${table(
  ['fault', 'group', 'what is done'],
  here.map(({ id, name, group, does }) => [`${id} ${name}`, group, does]),
)}

## Not here

${table(
  ['fault', 'group', 'why not'],
  notHere.map((entry) => [`${entry.id} ${entry.name}`, entry.group, 'notHere' in entry ? entry.notHere : '']),
)}
`;
}
