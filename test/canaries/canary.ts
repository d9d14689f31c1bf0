/** Words that occur nowhere else, one for each thing that a person or a secret can be known by, and the search for them. */
import { createHash } from 'node:crypto';

export type Canaries = Readonly<Record<string, string>>;

/** Where something was looked for, and what was said there. */
export interface Output {
  readonly name: string;
  readonly text: string;
}

export interface Hit {
  readonly canary: string;
  readonly form: string;
  readonly output: string;
  /** What stands around it. */
  readonly around: string;
}

/** However it was written down: as it is, as a part of an address or of JSON, encoded, or as a hash that anybody can work out. */
function formsOf(text: string): readonly (readonly [form: string, text: string])[] {
  const bytes = Buffer.from(text);
  // Whatever stands beside it in what is encoded: each of the three ways in which it can fall on the groups of Base64.
  const inBase64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    return encoded.slice(shift === 0 ? 0 : 4, Math.floor(((shift + bytes.length) * 8) / 24) * 4);
  });
  const hash = createHash('sha256').update(text).digest();
  return [
    ['plain', text],
    ['percent-encoded', encodeURIComponent(text)],
    ['JSON', JSON.stringify(text).slice(1, -1)],
    ['hex', bytes.toString('hex')],
    ...inBase64.flatMap((encoded) => [
      ['Base64', encoded] as const,
      ['Base64url', encoded.replaceAll('+', '-').replaceAll('/', '_')] as const,
    ]),
    ['SHA-256', hash.toString('hex')],
    ['SHA-256', hash.toString('base64url').slice(0, 22)],
  ];
}

const aroundLength = 60;

export function hitsIn(outputs: readonly Output[], canaries: Canaries): readonly Hit[] {
  const hits: Hit[] = [];
  for (const [canary, text] of Object.entries(canaries)) {
    for (const [form, written] of formsOf(text)) {
      for (const output of outputs) {
        const at = output.text.toLowerCase().indexOf(written.toLowerCase());
        if (at < 0) continue;
        hits.push({ canary, form, output: output.name, around: output.text.slice(Math.max(0, at - aroundLength), at + aroundLength) });
      }
    }
  }
  return hits;
}

/** What looks like somebody's whoever it is: in no output is there any reason for it. */
export const personalPatterns: Readonly<Record<string, RegExp>> = {
  'an e-mail address': /[a-z0-9._%+-]+@[a-z0-9-]+\.[a-z]{2,}/i,
  'a token': /eyJ[A-Za-z0-9_-]{10,}\./,
  'a TC string': /\bC[A-Za-z0-9_-]{30,}\.[A-Za-z0-9_-]+/,
  'a GPP string': /\bDB[A-Z][A-Za-z0-9_-]{2,}~/,
  'a session id': /\bs1\.[A-Za-z0-9_-]{20,}/,
};
