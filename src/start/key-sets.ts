/** Whose tokens the service accepts, and which addresses a holder's proof may name: the configured ones, in demo mode its own. */
import type { Config } from '../config.ts';
import { type KeySet, keySetOf } from '../identity/key-set.ts';
import { type ProofTargets, proofTargetsOf } from '../identity/proof-targets.ts';
import type { Clock } from '../time/clock.ts';
import { openDemoIssuer } from './demo-issuer.ts';
import { demoPartiesOf, isDemo } from './demo-mode.ts';
import { openKeySetFile } from './key-set-file.ts';
import type { KeySetChange } from './remote-key-set.ts';

export interface TokenTrust {
  readonly keySet: KeySet | null;
  readonly issuer: string | null;
  readonly audience: string | null;
  readonly proofTargets: ProofTargets;
  /** By which address the service is reached: the demo accepts proofs for it. */
  servedAt(url: string): void;
  /** A file of keys is read again. */
  reload(): Promise<unknown>;
  dispose(): Promise<void>;
}

export interface TokenTrustParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** Hears when no token can verify: that is a choice, and looks like a fault to whoever did not mean it. */
  readonly warn: (sentence: string) => void;
  readonly inform: (sentence: string) => void;
}

export async function tokenTrustOf(config: Config, parts: TokenTrustParts): Promise<TokenTrust> {
  const parties = { issuer: config.tokenIssuer, audience: config.tokenAudience };
  const fixed = { proofTargets: proofTargetsOf(config.proofTargets), servedAt() {}, async reload() {}, async dispose() {} };
  if (isDemo(config)) {
    const { jwks } = await openDemoIssuer(config.dataDir);
    return { ...fixed, ...demoTargets(config.proofTargets), keySet: await keySetOf(jwks), ...demoPartiesOf(config) };
  }
  if (config.jwksPath !== null) return { ...fixed, ...(await openKeySetFile({ path: config.jwksPath, ...parts })), ...parties };
  if (config.jwksUrl !== null) return { ...fixed, ...(await openAddress(config.jwksUrl, config.dataDir, parts)), ...parties };
  parts.warn('no token verifies, so nobody is served above the session tier: set STEPWELL_JWKS to the key set of your issuer');
  return { ...fixed, keySet: null, ...parties };
}

const provedRoute = '/v1/decide';

/** In the demo nobody is asked to name the address that the demo itself has printed. */
function demoTargets(configured: readonly string[]): Pick<TokenTrust, 'proofTargets' | 'servedAt'> {
  const own: string[] = [];
  let known = proofTargetsOf(configured);
  return {
    proofTargets: { has: (htu) => known.has(htu) },
    servedAt(url) {
      own.push(url + provedRoute, url.replace('//127.0.0.1:', '//localhost:') + provedRoute);
      known = proofTargetsOf([...configured, ...own]);
    },
  };
}

/** An address that does not answer is no reason not to serve: until it does, nobody is proved, and each decision says why. */
async function openAddress(
  url: string,
  directory: string,
  { clock, random, warn, inform }: TokenTrustParts,
): Promise<Pick<TokenTrust, 'keySet' | 'dispose'>> {
  const { openRemoteKeySet } = await import('./remote-key-set.ts');
  const tell = (change: KeySetChange): void => {
    if (change.kind === 'unavailable')
      warn(`STEPWELL_JWKS: the key set cannot be had from its address (${change.why}); the last one is used for a day`);
    else inform(change.kind === 'replaced' ? 'STEPWELL_JWKS: the key set has changed' : 'STEPWELL_JWKS: the key set can be had again');
  };
  const remote = openRemoteKeySet({ url, directory, clock, random, tell });
  await remote.ready;
  return { keySet: remote.keySet, dispose: remote.dispose };
}
