/**
 * Where a character of a scalar's value stands in the text: quotes, escapes and indentation lie between the two. A scalar whose
 * lines were folded has no simple answer, and its own start is given.
 */
import type { ScalarNode } from './document.ts';

export function placeInScalar(text: string, scalar: ScalarNode, valueOffset: number): number {
  const raw = text.slice(scalar.at, scalar.end);
  if (scalar.style === 'literal') return inLiteralBlock(raw, scalar, valueOffset);
  if (scalar.style === 'folded' || raw.includes('\n')) return scalar.at;
  switch (scalar.style) {
    case 'plain':
      return scalar.at + valueOffset;
    case 'single':
      return scalar.at + 1 + rawLength(raw.slice(1), valueOffset, (rest) => (rest.startsWith("''") ? 2 : 1));
    case 'double':
      return scalar.at + 1 + rawLength(raw.slice(1), valueOffset, escapeLength);
  }
}

/** How many raw characters stand for the first `count` characters of the value. */
function rawLength(raw: string, count: number, lengthOf: (rest: string) => number): number {
  let position = 0;
  for (let index = 0; index < count && position < raw.length; index++) position += lengthOf(raw.slice(position, position + 10));
  return position;
}

function escapeLength(rest: string): number {
  if (!rest.startsWith('\\')) return 1;
  const hexDigits = { x: 2, u: 4, U: 8 }[rest.charAt(1)];
  return 2 + (hexDigits ?? 0);
}

function inLiteralBlock(raw: string, scalar: ScalarNode, valueOffset: number): number {
  const value = String(scalar.value);
  const before = value.slice(0, valueOffset);
  const lineNumber = before.split('\n').length - 1;
  const column = valueOffset - (before.lastIndexOf('\n') + 1);
  const rawLines = raw.split('\n');
  const valueLine = value.split('\n')[lineNumber] ?? '';
  const rawLine = rawLines[lineNumber + 1] ?? '';
  const lineStart = rawLines.slice(0, lineNumber + 1).reduce((sum, line) => sum + line.length + 1, 0);
  const indentation = rawLine.replace(/\r$/, '').length - valueLine.length;
  return indentation < 0 ? scalar.at : scalar.at + lineStart + indentation + column;
}
