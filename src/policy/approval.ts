/** An approval: who signed a variant off, from when and until when. */
import type { Approval } from '../decision/artefact.ts';
import type { Node } from './document.ts';
import type { Report } from './problems.ts';
import { readFields, readInstantMs, readText, required } from './read.ts';

/** `needed`: without a current approval the policy does not load. */
export function readApproval(report: Report, node: Node, what: string, nowMs: number, needed: boolean): Approval | null {
  const fields = readFields(report, node, `\`approved\` of ${what}`, ['by', 'on', 'until']);
  if (fields === undefined) return null;
  const where = `the approval of ${what}`;
  const byNode = required(report, fields, 'by', where, "`by: '<role or name>'`");
  const onNode = required(report, fields, 'on', where, '`on: <date>`');
  const untilNode = required(report, fields, 'until', where, '`until: <date>`');
  const by = byNode && readText(report, byNode, `\`by\` of ${where}`);
  const onMs = onNode && readInstantMs(report, onNode, `\`on\` of ${where}`);
  const untilMs = untilNode && readInstantMs(report, untilNode, `\`until\` of ${where}`);
  if (by === undefined || onMs === undefined || untilMs === undefined) return null;
  if (untilMs <= onMs) {
    report.error('invalid-date', untilNode?.at ?? fields.at, `${where} ends before it begins: write an \`until\` after its \`on\``);
  } else if (untilMs <= nowMs) {
    const message = `${where} has expired: have it approved again and write the new \`on\` and \`until\``;
    if (needed) report.error('approval-expired', untilNode?.at ?? fields.at, message);
    else report.warning('approval-expired', untilNode?.at ?? fields.at, message);
  } else if (onMs > nowMs) {
    report.warning('approval-not-yet', onNode?.at ?? fields.at, `${where} begins in the future: write the day on which it was given`);
  }
  return { by, onMs, untilMs };
}
