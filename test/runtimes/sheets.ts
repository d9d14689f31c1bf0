/** Every sheet as text, the way engines get it, and what the source itself says to it here, with nothing bundled and nothing copied. */
import { consentSheet, decisionSheets, deviceSheets, type Sheet } from './cases.ts';
import { type Answered, answerSheet } from './core.ts';
import { createDigest } from './digest.ts';

export interface TestedSheet {
  readonly kind: Sheet['kind'];
  readonly text: string;
  readonly said: Answered;
}

export function everySheet(): readonly TestedSheet[] {
  return [...decisionSheets(), ...deviceSheets(), consentSheet()].map(tested);
}

function tested(sheet: Sheet): TestedSheet {
  return { kind: sheet.kind, text: JSON.stringify(sheet), said: answerSheet(sheet) };
}

export async function answersOf(sheets: readonly TestedSheet[], answer: (text: string) => Promise<string>): Promise<readonly Answered[]> {
  const answers: Answered[] = [];
  for (const { text } of sheets) answers.push(JSON.parse(await answer(text)));
  return answers;
}

export function digestOf(answers: readonly Answered[]): string {
  const { add, read } = createDigest();
  for (const { digest } of answers) add(digest);
  return read();
}
