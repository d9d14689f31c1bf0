/** What a question may say of a visitor: a table tells these values apart, and whoever walks it takes no others for signals. */
import { textLengthMax } from '../decision/expression.ts';

/** In the years that a timestamp can be written in. */
export const instants = { firstMs: -62_135_596_800_000, lastMs: 253_402_300_799_999 };

export function isText(text: string): boolean {
  return text !== '' && text.length <= textLengthMax && !/\p{Surrogate}/u.test(text);
}

/** Of a list in a query. */
export function isItem(text: string): boolean {
  return isText(text) && !text.includes(',');
}
