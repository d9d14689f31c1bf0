/** What a row of the table of attacks is: in one line what is tried and what must hold, and the attempt itself. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { LightMyRequestResponse } from 'fastify';
import { expect } from 'vitest';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { root } from '../cli/run-stepwell.ts';
import { startService, type TestService } from '../http/service.ts';
import { audience, claimsAt, headerOf, issuer, keysOf, newKey, signed, subject, type TestKey } from '../identity/issuer.ts';
import { type Exchange, exchange } from './wire.ts';

export interface Attack {
  readonly name: string;
  readonly holds: string;
  try(): Promise<void>;
}

export interface Area {
  readonly area: string;
  readonly attacks: readonly Attack[];
}

/** For an attack that another suite tries at length: there it must still be, under this name. */
export function triedIn(file: string, ...names: readonly string[]): Promise<void> {
  const text = readFileSync(`${root}/${file}`, 'utf8');
  for (const name of names) expect(text, `${file} no longer holds it`).toContain(name);
  return Promise.resolve();
}

/** A service with an issuer of its own and one customer whom it knows well: gold, and agreed to everything. */
export interface Scene extends TestService {
  readonly key: TestKey;
  /** What the issuer would sign now. */
  claims(): Record<string, unknown>;
  send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    payload?: unknown,
    headers?: Headers,
  ): Promise<LightMyRequestResponse>;
  decide(body: Record<string, unknown>, headers?: Headers): Promise<Decided>;
  port(): Promise<number>;
  wire(...pieces: readonly (string | Buffer)[]): Promise<Exchange>;
}

type Headers = Readonly<Record<string, string>>;

export interface Decided {
  readonly status: number;
  readonly text: string;
  readonly headers: LightMyRequestResponse['headers'];
  readonly state: string;
  readonly zones: readonly { readonly tier: string; readonly variant: string; readonly downgrade: { readonly reason: string } | null }[];
}

export const agreed = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted' } } as const;
export { headerOf, signed, subject };

export async function scene(changes: Parameters<typeof startService>[0] = {}): Promise<Scene> {
  const key = newKey('k1');
  const keySet = await keysOf(key);
  let service: TestService | null = null;
  const nowMs = (): number => service?.clock.nowMs() ?? 0;
  const verifier = createTokenVerifier({ keySet, issuer, audience, clock: { nowMs, monotonicMs: nowMs, after: () => () => {} } });
  const started = await startService({ verifier, ...changes });
  service = started;
  await started.store.putProfile(subject, { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] }, 3600);

  const send: Scene['send'] = (method, url, payload, headers = {}) =>
    started.app.inject({ method, url, headers, ...(payload === undefined ? {} : { payload: payload as object }) });
  let listening: Promise<unknown> | null = null;
  async function portOf(): Promise<number> {
    listening ??= started.app.listen({ host: '127.0.0.1', port: 0 });
    await listening;
    return (started.app.server.address() as AddressInfo).port;
  }
  return {
    ...started,
    key,
    claims: () => claimsAt(nowMs()),
    send,
    async decide(body, headers) {
      const answer = await send('POST', '/v1/decide', { zones: ['hero'], consent: agreed, ...body }, headers);
      const { identity, zones = [] } = answer.json();
      return { status: answer.statusCode, text: answer.payload, headers: answer.headers, state: identity?.state, zones };
    },
    port: portOf,
    wire: async (...pieces) => exchange(await portOf(), pieces),
  };
}

/** No key of ours has reached what every object inherits. */
export function expectCleanPrototypes(): void {
  const bare: Record<string, unknown> = {};
  expect([bare.isAdmin, bare.polluted, bare.page, Object.keys(Object.prototype), Object.keys(Array.prototype)]).toEqual([
    undefined,
    undefined,
    undefined,
    [],
    [],
  ]);
}

export const jsonType = { 'content-type': 'application/json' } as const;

/** A request as a client would write it; what is wrong with it the caller puts in. */
export function request(line: string, headers: readonly string[] = [], body = ''): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return `${[`${line} HTTP/1.1`, 'Host: localhost', ...headers, ...length].join('\r\n')}\r\n\r\n${body}`;
}
