/** The shape of a token before its signature is looked at: one spelling, known members, an algorithm of ours. */
import { describe, expect, test } from 'vitest';
import { decodeCanonical, parseCompactJws } from '../../src/identity/compact-jws.ts';

const encode = (text: string) => Buffer.from(text).toString('base64url');
const header = encode('{"alg":"EdDSA","kid":"a"}');
const payload = encode('{"sub":"x"}');
const signature = encode('signature');
const names = ['alg', 'kid'];

describe('a compact JWS', () => {
  test.each([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'Ed25519'],
    ['ES256', 'ES256'],
  ])('of algorithm %s is for a key of %s', (alg, algorithm) => {
    const text = `${encode(JSON.stringify({ alg, kid: 'a' }))}.${payload}.${signature}`;
    expect(parseCompactJws(text, names)).toEqual({ header: { alg, kid: 'a' }, alg, algorithm, payload: Buffer.from('{"sub":"x"}') });
  });

  const withHeader = (json: string) => `${encode(json)}.${payload}.${signature}`;
  const refused: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['two parts', `${header}.${payload}`],
    ['four parts', `${header}.${payload}.${signature}.${signature}`],
    ['an empty fourth part', `${header}.${payload}.${signature}.`],
    ['no header', `.${payload}.${signature}`],
    ['no payload', `${header}..${signature}`],
    ['no signature', `${header}.${payload}.`],
    ['padding after the header', `${header}=.${payload}.${signature}`],
    ['a payload in another spelling', `${header}.${payload}=.${signature}`],
    ['a signature in another spelling', `${header}.${payload}.${signature} `],
    ['a header that is no JSON', withHeader('{')],
    ['a header that is a list', withHeader('[]')],
    ['a member nobody asked for', withHeader('{"alg":"EdDSA","kid":"a","jku":"x"}')],
    ['no algorithm', withHeader('{"kid":"a"}')],
    ['an algorithm that is not ours', withHeader('{"alg":"RS256","kid":"a"}')],
    ['no algorithm by name', withHeader('{"alg":"none","kid":"a"}')],
    ['a list of algorithms', withHeader('{"alg":["EdDSA"],"kid":"a"}')],
    ['an algorithm of the prototype', withHeader('{"alg":"toString","kid":"a"}')],
  ];
  test.each(refused)('is not what has %s', (_, text) => {
    expect(parseCompactJws(text, names)).toBeNull();
  });
});

describe('base64url', () => {
  test.each(['AA', 'AAA', 'AAAA', '-_-_', 'Zm9vYg'])('%s is the one spelling of its bytes', (part) => {
    expect(decodeCanonical(part)).toEqual(Buffer.from(part, 'base64url'));
  });

  test.each(['', 'A', 'AB', 'AA==', 'AA=', ' AA', 'AA\n', 'A A', '+/+/', 'AA.', 'ÄA', '\ud800'])(
    '%j is the one spelling of nothing',
    (part) => {
      expect(decodeCanonical(part)).toBeNull();
    },
  );
});
