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

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 3)}...`;
}
