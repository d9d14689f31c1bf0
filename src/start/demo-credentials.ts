/** What the examples of the demo's API page are filled with: a customer's token and a visit that has looked at shoes. */
import type { Config } from '../config.ts';
import type { ExampleCredentials } from '../contract/openapi-examples.ts';
import { type SessionIds, sessionLifeMaxSeconds } from '../identity/session-id.ts';
import type { Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';
import { openDemoIssuer } from './demo-issuer.ts';
import { demoPartiesOf } from './demo-mode.ts';

export interface DemoCredentialParts {
  readonly config: Pick<Config, 'dataDir' | 'tokenIssuer' | 'tokenAudience'>;
  readonly store: Store;
  readonly sessionIds: SessionIds;
  readonly clock: Clock;
}

const subject = 'demo-ada';
const session = { attributes: { last_category: 'shoes' } };
const tokenLifeSeconds = 3600;
/** However often they are asked for, one pair serves all for half an hour, and every reader still has half an hour to use it. */
const renewAfterMs = 1_800_000;

export async function createDemoCredentials({
  config,
  store,
  sessionIds,
  clock,
}: DemoCredentialParts): Promise<() => Promise<ExampleCredentials>> {
  const issuer = await openDemoIssuer(config.dataDir);
  const { issuer: iss, audience: aud } = demoPartiesOf(config);
  let made: { readonly atMs: number; readonly credentials: Promise<ExampleCredentials> } | null = null;

  async function make(): Promise<ExampleCredentials> {
    const token = await issuer.mint({ subject, nowMs: clock.nowMs(), lifetimeSeconds: tokenLifeSeconds, claims: { iss, aud } });
    const { sessionId, id } = sessionIds.mint(sessionLifeMaxSeconds);
    // Without a store the example shows what a visit is without one: that is the service's very promise.
    await store.putSession(id, session, sessionLifeMaxSeconds).catch(() => {});
    return { token, sessionId };
  }

  return () => {
    if (made !== null && clock.monotonicMs() - made.atMs < renewAfterMs) return made.credentials;
    const making = { atMs: clock.monotonicMs(), credentials: make() };
    made = making;
    // A failure is not kept: the next reader's try may be better.
    making.credentials.catch(() => {
      if (made === making) made = null;
    });
    return making.credentials;
  };
}
