/** Reads a record of writes line by line and says where its chains are broken. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createChainCheck } from '../files/audit-log.ts';
import { CannotRun, systemSentence } from '../start/cannot-run.ts';
import type { AuditOptions } from './audit.ts';
import { foundProblems, printJson } from './outcome.ts';

const brokenShownMax = 1000;

export async function checkAudit(file: string, { json }: AuditOptions): Promise<void> {
  const { lines, broken, brokenCount } = await checkLines(file);
  if (brokenCount > 0) foundProblems();
  if (json) return printJson({ file, lines, broken });
  for (const line of broken) process.stderr.write(`${file}:${line}: this line does not follow the one before it\n`);
  process.stdout.write(`${file}: ${lines} lines, ${brokenCount} broken\n`);
}

interface Checked {
  readonly lines: number;
  /** Their numbers, the first of them. */
  readonly broken: readonly number[];
  readonly brokenCount: number;
}

async function checkLines(file: string): Promise<Checked> {
  const follows = createChainCheck();
  const broken: number[] = [];
  let lines = 0;
  let brokenCount = 0;
  let number = 0;
  try {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (line === '') continue;
      lines += 1;
      if (follows(line)) continue;
      brokenCount += 1;
      if (broken.length < brokenShownMax) broken.push(number);
    }
  } catch (error) {
    throw new CannotRun(`\`${file}\` cannot be read: ${systemSentence(error)}`);
  }
  return { lines, broken, brokenCount };
}
