/** The author's own words in a message: as much of them as a terminal can show, however long they are. */

const quotedMax = 80;
/** Of a sentence that a library wrote, which may quote anything: its beginning says what is wrong. */
const sentenceMax = 200;

/** Of one name or value, to stand in backticks. */
export function excerpt(written: string): string {
  return cut(written, quotedMax);
}

/** A library's sentence in the form of ours: its first line, lower case, without a full stop. */
export function sentenceOf(message: string): string {
  const line = cut((message.split('\n', 1)[0] ?? '').replace(/\S+/g, excerpt), sentenceMax);
  return `${line.charAt(0).toLowerCase()}${line.slice(1)}`.replace(/(?<!\.\.)[.:]$/, '');
}

/** All of it, to be copied from where it stands. */
export function inFull(written: string): string {
  return written.replace(unseen, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** What a terminal obeys, draws as nothing or turns other letters around by, and halves of characters. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function cut(text: string, max: number): string {
  // A character is at most two units: of a text that goes on beyond these nothing is missed.
  const characters = Array.from(text.slice(0, 2 * max + 2));
  return inFull(characters.length <= max ? text : `${characters.slice(0, max - 3).join('')}...`);
}
