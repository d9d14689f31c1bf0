/** The development issuer of a data directory, for whoever serves or mints; where it cannot be had, a sentence says why. */
import { createDemoIssuer, type DemoIssuer, IssuerKeyError } from '../identity/mint.ts';
import { CannotRun, dataDirectoryFailure } from './cannot-run.ts';

export async function openDemoIssuer(dataDir: string): Promise<DemoIssuer> {
  try {
    return await createDemoIssuer(dataDir);
  } catch (error) {
    throw error instanceof IssuerKeyError ? new CannotRun(error.message) : dataDirectoryFailure(dataDir, error);
  }
}
