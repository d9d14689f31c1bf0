/** What is sent: a value is a value, whatever it holds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRequestTemplate } from '../../src/sources/request-template.ts';
import { sourceAt } from './scene.ts';

const pathOf = (url: string, value: string) => createRequestTemplate(sourceAt(url), 'subject', {}).fill(value, {})?.path;

const codePoint = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
const delimiter = fc.constantFrom('/', '\\', '.', '%', '?', '#', '&', '=', ';', '@', ':', ' ', '\r', '\n', '{subject}');
const anyText = fc.array(fc.oneof(codePoint, delimiter)).map((parts) => parts.join(''));

describe('an address', () => {
  it.each([
    ['https://cdp.example/v1/people/{subject}', 'anna', '/v1/people/anna'],
    ['https://cdp.example/v1/people/{subject}/', 'a/../b?c=d#e', '/v1/people/a%2F..%2Fb%3Fc%3Dd%23e/'],
    ['https://cdp.example/v1?who={subject}&all=1', 'a&all=2', '/v1?who=a%26all%3D2&all=1'],
    ['https://cdp.example/{subject}?again={subject}', 'ü €', '/%C3%BC%20%E2%82%AC?again=%C3%BC%20%E2%82%AC'],
    ['https://cdp.example/{subject}', '%2e%2e', '/%252e%252e'],
    ['https://cdp.example/{subject}', 'a\r\nhost: b', '/a%0D%0Ahost%3A%20b'],
    ['https://cdp.example/{subject}', '{subject}', '/%7Bsubject%7D'],
    ['https://cdp.example/$&/{subject}', '$&', '/$&/%24%26'],
    ['https://cdp.example', 'anna', '/'],
  ])('%s takes %j as %s', (url, value, path) => expect(pathOf(url, value)).toBe(path));

  it.each(['', '.', '..', '\ud800', 'a\udfff'])('cannot hold %j', (value) =>
    expect(pathOf('https://cdp.example/{subject}', value)).toBe(undefined),
  );

  it('keeps its segments and parameters for any value', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const path = pathOf('https://cdp.example/a/{subject}/b?c={subject}&d=1', value);
        if (path === undefined) return;
        const url = new URL(path, 'https://cdp.example');
        expect(url.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'a', value, 'b']);
        expect(/^[!-~]+$/.test(path)).toBe(true);
        expect(url.searchParams.getAll('d')).toEqual(['1']);
        expect([...url.searchParams].length).toBe(2);
      }),
    );
  });
});

describe('a POST', () => {
  it('carries the value and the request as JSON', () => {
    const template = createRequestTemplate(sourceAt('https://rec.example/score', { method: 'POST' }), 'deviceId', { 'x-key': 'k' });
    const filled = template.fill('d-"1"', { country: 'DE' });
    expect(filled?.body).toBe('{"deviceId":"d-\\"1\\"","request":{"country":"DE"}}');
    expect(filled?.headers).toEqual(['x-key', 'k', 'accept', 'application/json', 'content-type', 'application/json']);
  });
});
