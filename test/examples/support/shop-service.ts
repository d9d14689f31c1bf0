/** The real service with the example policy, listening, and visitors of every tier: each with the cookies and headers that a page would get. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppDependencies, buildApp } from '../../../src/app.ts';
import { openEmbeddedStore } from '../../../src/embedded/embedded-store.ts';
import { keySetOf } from '../../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../../src/identity/mint.ts';
import { createSessionIds } from '../../../src/identity/session-id.ts';
import { createTokenVerifier } from '../../../src/identity/token.ts';
import { noTelemetry } from '../../../src/telemetry/telemetry.ts';
import { systemClock as clock } from '../../../src/time/clock.ts';
import { compiled } from '../../http/service.ts';

export interface Visitor {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the hero shows to this visitor when all is well. */
  readonly hero: { readonly tier: string; readonly variant: string };
}

export interface ShopService {
  readonly url: string;
  /** Every content that the policy has, by its variant's id. */
  readonly contents: ReadonlyMap<string, unknown>;
  readonly visitors: Readonly<Record<'user' | 'session' | 'segment' | 'anonymous', Visitor>>;
  stop(): Promise<void>;
}

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const everything = 'content_personalization.offers.profile_activation_content.profile_activation_offer';

export async function openShopService(more: Partial<AppDependencies> = {}): Promise<ShopService> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-shop-'));
  const store = openEmbeddedStore({ directory, clock, repeat: () => () => {} });
  const artefact = compiled('examples/retail.yaml', clock.nowMs());
  const keys = await generateIssuerKeys();
  const app = await buildApp({
    policy: { current: () => ({ artefact, stale: false }) },
    verifier: createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...parties, clock }),
    sessionIds: createSessionIds({ secret: Buffer.alloc(32, 7), clock }),
    clock,
    telemetry: noTelemetry,
    apiKeys: null,
    publicGet: false,
    tokenIssuer: parties.issuer,
    logger: null,
    queue: { turnMs: () => 0, lastingMs: () => 0 },
    store,
    ...more,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const profile = { attributes: { loyalty: 'gold', days_since_order: 75, orders_count: 14 }, audiences: [] };
  await store.putProfile('ada', profile, 600);
  const token = await mintToken({ ...keys, ...parties, subject: 'ada', nowMs: clock.nowMs(), lifetimeSeconds: 3600 });
  const session = await app.inject({ method: 'POST', url: '/v1/sessions', payload: { attributes: { last_category: 'shoes' } } });
  const { sessionId } = session.json() as { sessionId: string };
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    contents: new Map(Object.entries(artefact.variants).map(([variant, { content }]) => [variant, content])),
    visitors: {
      user: {
        name: 'a gold member who is signed in',
        headers: { cookie: `shop_token=${token}; shop_consent=${everything}` },
        hero: { tier: 'user', variant: 'hero-gold' },
      },
      session: {
        name: 'a visit that looked at shoes',
        headers: { cookie: `shop_visit=${sessionId}; shop_consent=${everything}` },
        hero: { tier: 'session', variant: 'hero-shoes' },
      },
      segment: {
        name: 'somebody from Austria',
        headers: { 'x-country': 'AT' },
        hero: { tier: 'segment', variant: 'hero-dach' },
      },
      anonymous: {
        name: 'nobody in particular',
        headers: {},
        hero: { tier: 'anonymous', variant: 'hero-standard' },
      },
    },
    async stop() {
      await app.close();
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
