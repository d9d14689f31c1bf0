/** Classes S2 and S3 over HTTP: what a bound token and its proof open, and what stays shut when any one thing is missing. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { StoredConsent } from '../../src/decision/facts.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { createHolder, generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { proofTargetsOf } from '../../src/identity/proof-targets.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService, type TestService } from './service.ts';

const parties = { issuer: 'https://issuer.example', audience: 'stepwell' } as const;
const target = 'https://decide.example/v1/decide';
const keys = await generateIssuerKeys();
const holder = await createHolder();
const policy = 'test/http/sensitive.yaml';
const personal = {
  content_personalization: 'granted',
  offers: 'granted',
  profile_activation_content: 'granted',
  profile_activation_offer: 'granted',
} as const;
type Granted = StoredConsent['useCases'];
const granted: Granted = { ...personal, 'category:health': 'granted' };
/** Said by the request itself, since a stored grant counts for the proved only: what stays shut then is not for want of it. */
const saidNow = { consent: { useCases: personal } };

interface Scene extends TestService {
  token(claims?: Record<string, unknown>): Promise<string>;
  prove(token: string, to?: string): Promise<string>;
  decide(identity: object, more?: object, headers?: Record<string, string>): Promise<Decided>;
}

interface Decided {
  readonly state: string;
  /** `tier variant`, or the reason of the step down. */
  readonly zones: Readonly<Record<string, string>>;
}

async function pharmacy(policyPath = policy, useCases: Granted = granted): Promise<Scene> {
  const keySet = await keySetOf(keys.jwks);
  // Each decision says at what time it judges.
  const verifier = createTokenVerifier({ keySet, ...parties, clock: new VirtualClock(), proofTargets: proofTargetsOf([target]) });
  const service = await startService({ verifier }, policyPath);
  const { clock } = service;
  await service.store.putProfile('ada', { attributes: { income_band: 'low', condition: 'asthma' }, audiences: [] }, 600);
  await service.store.putConsent('ada', { useCases, recordedAtMs: service.clock.nowMs() }, 600);
  const nowSeconds = Math.floor(clock.nowMs() / 1000);
  const bound = { cnf: { jkt: holder.thumbprint }, auth_time: nowSeconds - 60 };
  return {
    ...service,
    token: (claims = {}) =>
      mintToken({ ...keys, ...parties, subject: 'ada', nowMs: clock.nowMs(), lifetimeSeconds: 600, claims: { ...bound, ...claims } }),
    prove: (token, to = target) => holder.prove({ token, target: to, nowMs: clock.nowMs() }),
    async decide(identity, more = {}, headers = {}) {
      const response = await service.app.inject({
        method: 'POST',
        url: '/v1/decide',
        payload: { page: 'home', identity, ...more },
        headers,
      });
      expect(response.statusCode).toBe(200);
      expect(response.headers['cache-control']).toBe('private, no-store');
      const { identity: of, zones } = response.json();
      return { state: of.state, zones: Object.fromEntries(zones.map(shortly)) };
    },
  };
}

function shortly({ zone, tier, variant, downgrade }: Record<string, unknown> & { downgrade: { reason: string } | null }) {
  return [zone, downgrade === null ? `${tier} ${variant}` : downgrade.reason];
}

const everything = { rail: 'user inhaler', credit: 'user credit-yours', care: 'user care-yours' };
const nothing = (reason: string) => ({ rail: reason, credit: reason, care: reason });

describe('a bound token with a proof', () => {
  it('opens S2 and S3', async () => {
    const { token, prove, decide } = await pharmacy();
    const bound = await token();
    expect(await decide({ token: bound, proof: await prove(bound) })).toEqual({ state: 'high_confidence', zones: everything });
  });

  it('may bring its proof in the header of RFC 9449', async () => {
    const { token, prove, decide } = await pharmacy();
    const bound = await token();
    expect(await decide({ token: bound }, {}, { dpop: await prove(bound) })).toEqual({ state: 'high_confidence', zones: everything });
  });

  it('needs a new proof for each call: the second who shows one proves nothing, in any spelling and at any service of the fleet', async () => {
    const scene = await pharmacy();
    const bound = await scene.token();
    const proof = await scene.prove(bound);
    expect((await scene.decide({ token: bound, proof })).state).toBe('high_confidence');
    for (const again of [proof, `${proof}==`]) {
      expect(await scene.decide({ token: bound, proof: again }, saidNow)).toEqual({ state: 'partial', zones: nothing('identity_unbound') });
    }
    const neighbour = await startService({ ...scene.parts }, policy);
    const response = await neighbour.app.inject({
      method: 'POST',
      url: '/v1/decide',
      payload: { page: 'home', identity: { token: bound, proof } },
    });
    expect(response.json().identity).toEqual({ state: 'partial' });
    expect((await scene.decide({ token: bound, proof: await scene.prove(bound) })).state).toBe('high_confidence');
  });

  it('of two calls at once proves one', async () => {
    const { token, prove, decide } = await pharmacy();
    const bound = await token();
    const proof = await prove(bound);
    const states = (await Promise.all(Array.from({ length: 8 }, () => decide({ token: bound, proof })))).map(({ state }) => state);
    expect(states.filter((state) => state === 'high_confidence')).toHaveLength(1);
  });
});

describe('of S2 and S3 nothing is shown', () => {
  const missing: readonly {
    readonly what: string;
    readonly claims?: (nowSeconds: number) => Record<string, unknown>;
    readonly proof?: (scene: Scene, token: string) => Promise<string | undefined>;
    readonly decided: Decided;
  }[] = [
    { what: 'without a proof', proof: async () => undefined, decided: { state: 'partial', zones: nothing('identity_unbound') } },
    {
      what: 'with a proof for another address',
      proof: ({ prove }, token) => prove(token, 'https://decide.example/v1/profiles'),
      decided: { state: 'partial', zones: nothing('identity_unbound') },
    },
    {
      what: 'with a proof for another token',
      proof: async ({ prove, token }) => prove(await token({ jti: 'other' })),
      decided: { state: 'partial', zones: nothing('identity_unbound') },
    },
    {
      what: 'with a proof of another holder',
      proof: async ({ clock }, token) => (await createHolder()).prove({ token, target, nowMs: clock.nowMs() }),
      decided: { state: 'partial', zones: nothing('identity_unbound') },
    },
    {
      what: 'to a token that is bound to nobody',
      claims: () => ({ cnf: undefined }),
      decided: { state: 'high_confidence', zones: { rail: 'user socks', credit: 'identity_unbound', care: 'identity_unbound' } },
    },
    {
      what: 'to who authenticated more than a quarter of an hour ago',
      claims: (nowSeconds) => ({ auth_time: nowSeconds - 901 }),
      decided: { state: 'high_confidence', zones: { rail: 'user socks', credit: 'step_up_required', care: 'step_up_required' } },
    },
    {
      what: 'to who does not say when they authenticated',
      claims: () => ({ auth_time: undefined }),
      decided: { state: 'high_confidence', zones: { rail: 'user socks', credit: 'step_up_required', care: 'step_up_required' } },
    },
    {
      what: 'to who is only probably the person',
      claims: () => ({ idm: 'probabilistic' }),
      decided: { state: 'partial', zones: nothing('identity_partial') },
    },
    {
      what: 'to an expired token',
      claims: (nowSeconds) => ({ iat: nowSeconds - 900, exp: nowSeconds - 300 }),
      decided: { state: 'partial', zones: nothing('identity_token_expired') },
    },
  ];
  it.each(missing)('$what', async ({ claims, proof, decided }) => {
    const scene = await pharmacy();
    const token = await scene.token(claims?.(Math.floor(scene.clock.nowMs() / 1000)));
    const shown = proof === undefined ? await scene.prove(token) : await proof(scene, token);
    expect(await scene.decide({ token, ...(shown === undefined ? {} : { proof: shown }) }, saidNow)).toEqual(decided);
  });

  it('to a generation that is behind, or a token that was revoked', async () => {
    const scene = await pharmacy();
    const [behind, revoked] = [await scene.token(), await scene.token({ gen: 1, jti: 'gone' })];
    await scene.store.raiseGeneration('ada');
    await scene.store.revokeToken(`${parties.issuer}\ngone`, scene.clock.nowMs() + 60_000);
    const reasonOf = async (token: string) => (await scene.decide({ token, proof: await scene.prove(token) }, saidNow)).zones;
    expect(await reasonOf(behind)).toEqual(nothing('identity_revoked'));
    expect(await reasonOf(revoked)).toEqual(nothing('identity_revoked'));
  });
});

describe('of S3 nothing is shown', () => {
  const withoutS3 = { rail: 'user loan', credit: 'user credit-yours', care: 'explicit_consent_missing' };

  it('without a stored grant of its category', async () => {
    for (const stored of [personal, { ...personal, 'category:health': 'denied' }, { ...personal, 'category:faith': 'granted' }] as const) {
      const { token, prove, decide } = await pharmacy(policy, stored);
      const bound = await token();
      expect((await decide({ token: bound, proof: await prove(bound) })).zones).toEqual(withoutS3);
    }
  });

  it('where the policy does not switch its category on', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    const text = await readFile(policy, 'utf8');
    for (const sensitive of [
      '',
      'sensitive: { S3: { enabled: false, categories: [health] } }',
      'sensitive: { S3: { enabled: true, categories: [faith] } }',
    ]) {
      await writeFile(path, text.replace(/^sensitive: .*$/m, sensitive));
      const { token, prove, decide } = await pharmacy(path);
      const bound = await token();
      const { zones } = await decide({ token: bound, proof: await prove(bound) });
      expect([zones.rail, zones.credit], sensitive).toEqual(['user loan', 'user credit-yours']);
      expect(zones.care, sensitive).not.toContain('care-yours');
    }
  });
});

describe('whether a proof is new', () => {
  it('and cannot be found out, proves nobody, and that is a fault', async () => {
    const { token, prove, decide, store } = await pharmacy();
    Object.assign(store, { claimProof: () => Promise.reject(new Error('the disk is gone')) });
    const bound = await token();
    expect(await decide({ token: bound, proof: await prove(bound) }, saidNow)).toEqual({
      state: 'partial',
      zones: nothing('identity_failed'),
    });
  });

  it('and is not found out in time, proves nobody, and is late', async () => {
    const { token, prove, decide, store, clock } = await pharmacy();
    const asked = Promise.withResolvers<void>();
    Object.assign(store, {
      claimProof: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const bound = await token();
    const deciding = decide({ token: bound, proof: await prove(bound) }, saidNow);
    await asked.promise;
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(60);
    expect(await deciding).toEqual({ state: 'partial', zones: nothing('identity_timeout') });
  });

  it('would be seen not to be asked: a store that says yes to everybody lets a replay in', async () => {
    const { token, prove, decide, store } = await pharmacy();
    Object.assign(store, { claimProof: async () => true });
    const bound = await token();
    const proof = await prove(bound);
    for (let time = 0; time < 2; time += 1) expect((await decide({ token: bound, proof })).state).toBe('high_confidence');
  });
});
