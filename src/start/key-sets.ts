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

export async function tokenTrustOf(config: Config): Promise<TokenTrust> {
  if (isDemo(config)) {
    const { jwks } = await openDemoIssuer(config.dataDir);
    return { keySet: await keySetOf(jwks), ...demoPartiesOf(config) };
  }
  const parties = { issuer: config.tokenIssuer, audience: config.tokenAudience };
  return { keySet: config.jwksPath === null ? null : await readKeySet(config.jwksPath), ...parties };
}

async function readKeySet(path: string): Promise<KeySet> {
  try {
    return await loadKeySet(path);
  } catch (error) {
    if (error instanceof KeySetError) throw new CannotRun(`STEPWELL_JWKS: ${error.message}`);
    throw error;
  }
}
