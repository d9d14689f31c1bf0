/**
 * Verifies a throw-away token of each algorithm before anybody is served: the first verification of a process loads and compiles
 * what the rest reuse, and costs more than many a deadline. Nothing it makes outlives it, and it never fails a start.
 */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { keySetOf } from '../identity/key-set.ts';
import { demoParties, generateIssuerKeys, mintToken } from '../identity/mint.ts';
import { createTokenVerifier } from '../identity/token.ts';
import type { Clock } from '../time/clock.ts';

type ThrowAwayKeys = Pick<Awaited<ReturnType<typeof generateIssuerKeys>>, 'kid' | 'privateJwk' | 'jwks'>;

/** A second one finds what the first has compiled; more change little. */
const tokensOfEach = 2;

/** How many tokens verified: as many for each algorithm, or fewer where this machine cannot do one. */
export async function warmTokenVerification(clock: Clock): Promise<number> {
  const counts = await Promise.all([generateIssuerKeys, generateP256Keys].map((generate) => verifySome(generate, clock).catch(() => 0)));
  return counts.reduce((sum, count) => sum + count, 0);
}

async function verifySome(generate: () => ThrowAwayKeys | Promise<ThrowAwayKeys>, clock: Clock): Promise<number> {
  const keys = await generate();
  const verifier = createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...demoParties, clock });
  let verified = 0;
  for (let made = 0; made < tokensOfEach; made += 1) {
    const subject = randomUUID();
    const token = await mintToken({ ...keys, ...demoParties, subject, nowMs: clock.nowMs(), lifetimeSeconds: 60 });
    const { evidence } = await verifier.verify(token);
    if (evidence.state === 'verified') verified += 1;
  }
  return verified;
}

function generateP256Keys(): ThrowAwayKeys {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomUUID();
  return {
    kid,
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid },
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' }] },
  };
}
