/** Reads what a source sent as JSON, or not at all: a declared type, valid UTF-8, no deeper than a request may be, and of as many parts as take little time. */
import { isUtf8 } from 'node:buffer';
import { SourceFault } from './source-fault.ts';

const depthMax = 16;
/** Members, objects and lists: to parse and to convert as many takes some 1.5 ms. */
const partsMax = 3_000;
/** Members and items of lists: bare items cost a tenth of that each. */
const itemsMax = 20_000;

/** `application/json`, or a type built on it, such as `application/hal+json`; UTF-8 is the only JSON there is. */
export function isJsonType(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (!/^application\/(?:[\w!#$&^.-]+\+)?json$/.test(type)) return false;
  return parameters.every((parameter) => !parameter.startsWith('charset=') || /^charset="?utf-8"?$/.test(parameter));
}

export function parseJsonAnswer(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new SourceFault('not_json');
  const text = bytes.toString('utf8');
  checkShape(text);
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, so it is dropped.
    throw new SourceFault('not_json');
  }
}

/** Before parsing, so that depth and number never cost more than reading. */
function checkShape(text: string): void {
  let [depth, parts, items] = [0, 0, 1];
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22:
        at = endOfString(text, at);
        break;
      case 0x3a:
        parts += 1;
        break;
      case 0x2c:
        items += 1;
        break;
      case 0x7b:
      case 0x5b:
        depth += 1;
        parts += 1;
        break;
      case 0x7d:
      case 0x5d:
        depth -= 1;
        break;
    }
    if (depth > depthMax) throw new SourceFault('too_deep');
    if (parts > partsMax || items > itemsMax) throw new SourceFault('too_many');
  }
}

/** Where the closing quote is; the end of the text where there is none. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== 0x22) at += text.charCodeAt(at) === 0x5c ? 2 : 1;
  return at;
}
