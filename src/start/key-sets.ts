/** Whose tokens the service accepts: the configured issuer's, in demo mode the development issuer's, else nobody's. */
import type { Config } from '../config.ts';
import { type KeySet, KeySetError, keySetOf, loadKeySet } from '../identity/key-set.ts';
import { CannotRun } from './cannot-run.ts';
import { openDemoIssuer } from './demo-issuer.ts';
import { demoPartiesOf, isDemo } from './demo-mode.ts';

export interface TokenTrust {
  readonly keySet: KeySet | null;
  readonly issuer: string | null;
  readonly audience: string | null;
}

/** `warn` hears when no token can verify: that is a choice, and looks like a fault to whoever did not mean it. */
export async function tokenTrustOf(config: Config, warn: (sentence: string) => void): Promise<TokenTrust> {
  if (isDemo(config)) {
    const { jwks } = await openDemoIssuer(config.dataDir);
    return { keySet: await keySetOf(jwks), ...demoPartiesOf(config) };
  }
  const parties = { issuer: config.tokenIssuer, audience: config.tokenAudience };
  if (config.jwksPath !== null) return { keySet: await readKeySet(config.jwksPath), ...parties };
  warn('no token verifies, so nobody is served above the session tier: set STEPWELL_JWKS to the key set of your issuer');
  return { keySet: null, ...parties };
}

async function readKeySet(path: string): Promise<KeySet> {
  try {
    return await loadKeySet(path);
  } catch (error) {
    if (error instanceof KeySetError) throw new CannotRun(`STEPWELL_JWKS: ${error.message}`);
    throw error;
  }
}
