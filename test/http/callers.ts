/** Keys for tests, and calls with them. */
import { hash } from 'node:crypto';
import type { ApiKey } from '../../src/contract/key-scopes.ts';
import type { TestService } from './service.ts';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  readonly url: string;
  readonly key?: string | undefined;
  readonly payload?: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: string;
}

/** The key itself is `key-` and its id. */
export function keyOf(id: string, scopes: readonly string[], bounds: Partial<ApiKey> = {}): ApiKey {
  return { id, sha256: hash('sha256', `key-${id}`), scopes, ...bounds };
}

export async function call(
  { app }: Pick<TestService, 'app'>,
  { method = 'GET', url, key, payload, headers = {}, from = '127.0.0.1' }: Call,
) {
  const answer = await app.inject({
    method,
    url,
    remoteAddress: from,
    headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, headers: answer.headers, text: answer.payload, json: () => answer.json() };
}
