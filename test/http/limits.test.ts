/** No request keeps the event loop for long: what a body may hold, and what no condition would read. */
import { describe, expect, it } from 'vitest';
import { bodyPartsMax, parseJsonBody } from '../../src/contract/json-text.ts';
import { ProblemError } from '../../src/contract/problem.ts';
import { listItemsMax, textLengthMax } from '../../src/decision/expression.ts';
import { startService } from './service.ts';

const bodyOf = (members: number): string => `{${Array.from({ length: members }, (_, index) => `"a${index}":0`).join(',')}}`;

function problemOf(text: string): ProblemError | null {
  try {
    parseJsonBody(Buffer.from(text));
    return null;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}

describe('a body', () => {
  it.each([
    ['members', (count: number) => bodyOf(count - 1)],
    [
      'objects',
      (count: number) =>
        `[${Array(count - 1)
          .fill('{}')
          .join(',')}]`,
    ],
    [
      'lists',
      (count: number) =>
        `[${Array(count - 1)
          .fill('[]')
          .join(',')}]`,
    ],
  ])('may have as many %s as allowed, and not one more', (_, make) => {
    expect(problemOf(make(bodyPartsMax))).toBeNull();
    expect(problemOf(make(bodyPartsMax + 1))).toMatchObject({ code: 'malformed_json', errors: [{ pointer: '' }] });
  });

  it('may have more texts and numbers than that, since nobody pays much for them', () => {
    expect(
      problemOf(
        `[${Array(3 * bodyPartsMax)
          .fill('""')
          .join(',')}]`,
      ),
    ).toBeNull();
  });

  it('that is too large in parts is answered with a problem that says so', async () => {
    const { app } = await startService();
    const response = await app.inject({ method: 'POST', url: '/v1/decide', headers: json, payload: bodyOf(bodyPartsMax) });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([
      { in: 'body', pointer: '', detail: `at most ${bodyPartsMax} members, objects and lists are allowed in all` },
    ]);
  });
});

describe('an attribute', () => {
  const ask = async (context: object) => {
    const { app } = await startService();
    return app.inject({ method: 'POST', url: '/v1/decide', headers: json, payload: { page: 'home', context } });
  };

  it('may be a text as long as a condition reads, and no longer', async () => {
    expect((await ask({ country: 'x'.repeat(textLengthMax) })).statusCode).toBe(200);
    const refused = await ask({ country: 'x'.repeat(textLengthMax + 1) });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().errors).toEqual([expect.objectContaining({ pointer: '/context/country' })]);
    expect(refused.body).not.toContain('xx');
  });

  it('and audiences may be as many as a condition reads', async () => {
    const refused = await ask({ audiences: Array(listItemsMax + 1).fill('newsletter') });
    expect(refused.statusCode).toBe(400);
    expect(refused.json().errors).toEqual([expect.objectContaining({ pointer: '/context/audiences' })]);
  });
});

const json = { 'content-type': 'application/json' };
