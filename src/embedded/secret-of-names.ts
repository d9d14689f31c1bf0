/**
 * Under which secret the embedded store's ids have their names. The store knows its secret's fingerprint from the first start on, and does
 * not open under another one: it would find no denial, no tombstone and no revocation, and take that for there being none.
 */
import { join } from 'node:path';
import type { Database } from 'lmdb';
import { keptTextSync } from '../files/kept-text.ts';
import { type KeyNames, keyNames, keySecretPattern, randomKeySecret } from '../records/keys.ts';
import { StoreError } from '../records/store-error.ts';

const keySecretName = 'key-secret';
const fingerprintKey = 'fingerprint';

export interface SecretParts {
  readonly directory: string;
  /** Null: the one that is kept in the directory. */
  readonly configured: string | null;
  /** Of the store: what it knows of itself. */
  readonly about: Database<string, string>;
}

export function namesUnderSecret({ directory, configured, about }: SecretParts): KeyNames {
  // Of several that open a new store at once, all but the first one find its fingerprint.
  return about.transactionSync(() => {
    const known = about.get(fingerprintKey);
    const names = keyNames(configured ?? keptSecret(directory, known !== undefined));
    if (known === undefined) about.put(fingerprintKey, names.fingerprint);
    else if (known !== names.fingerprint) throw refusal('its records are stored under another key secret');
    return names;
  });
}

function keptSecret(directory: string, isExpected: boolean): string {
  const make = (): string => {
    if (isExpected) throw refusal(`\`${keySecretName}\`, the key secret of its records, is missing`);
    return randomKeySecret();
  };
  const secret = keptTextSync(join(directory, keySecretName), make).trim();
  if (!keySecretPattern.test(secret)) throw refusal(`\`${keySecretName}\`, the key secret of its records, is damaged`);
  return secret;
}

function refusal(why: string): StoreError {
  return new StoreError(
    'other_names',
    `${why}: bring back the secret that it was opened with, or delete \`store.mdb\` with all that it holds`,
  );
}
