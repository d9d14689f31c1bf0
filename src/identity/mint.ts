/**
 * A token issuer for development: it makes keys and signs tokens, so that a reader can see the user tier in the first minute.
 * A deployment has an issuer of its own; nothing here is on the path of a decision.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';

export interface IssuerKeys {
  readonly kid: string;
  readonly privateJwk: JWK;
  readonly jwks: { readonly keys: readonly JWK[] };
}

export async function generateIssuerKeys(): Promise<IssuerKeys> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
  const kid = randomBytes(9).toString('base64url');
  return issuerKeysOf({ ...(await exportJWK(privateKey)), kid, alg: 'Ed25519', use: 'sig' });
}

function issuerKeysOf(privateJwk: JWK): IssuerKeys {
  const { d, ...publicJwk } = privateJwk;
  if (typeof d !== 'string' || typeof privateJwk.kid !== 'string') throw new TypeError('the issuer key must be a private JWK with a `kid`');
  return { kid: privateJwk.kid, privateJwk, jwks: { keys: [publicJwk] } };
}

export interface MintedTokenClaims {
  readonly privateJwk: JWK;
  readonly kid: string;
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly nowMs: number;
  readonly lifetimeSeconds: number;
  /** More claims, or others in place of these. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export async function mintToken({
  privateJwk,
  kid,
  issuer,
  audience,
  subject,
  nowMs,
  lifetimeSeconds,
  claims,
}: MintedTokenClaims): Promise<string> {
  const issuedAtSeconds = Math.floor(nowMs / 1000);
  const payload = {
    iss: issuer,
    aud: audience,
    sub: subject,
    iat: issuedAtSeconds,
    exp: issuedAtSeconds + lifetimeSeconds,
    jti: randomUUID(),
    ...claims,
  };
  const alg = privateJwk.crv === 'P-256' ? 'ES256' : 'Ed25519';
  return new SignJWT(payload).setProtectedHeader({ alg, typ: 'decide+jwt', kid }).sign(await importJWK(privateJwk, alg));
}

/** What a demo token and a service that trusts it agree on without configuration. */
export const demoParties = { issuer: 'stepwell-demo', audience: 'stepwell' } as const;

export interface DemoIssuer extends IssuerKeys {
  mint(token: { subject: string; nowMs: number; lifetimeSeconds: number; claims?: Readonly<Record<string, unknown>> }): Promise<string>;
}

/** Keeps its key in `demo-issuer.json` of the directory, readable by its owner only, and makes one where there is none. */
export async function createDemoIssuer(directory: string): Promise<DemoIssuer> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'demo-issuer.json');
  const keys = await makeOrRead(path);
  return { ...keys, mint: (token) => mintToken({ ...keys, ...demoParties, ...token }) };
}

/** Two processes may start at once: the file appears whole or not at all, and whoever comes second reads the first one's key. */
async function makeOrRead(path: string): Promise<IssuerKeys> {
  const existing = await readKeys(path);
  if (existing !== null) return existing;
  const made = await generateIssuerKeys();
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${JSON.stringify(made.privateJwk)}\n`, { flag: 'wx', mode: 0o600 });
  try {
    await link(draft, path);
    return made;
  } catch (error) {
    const theirs = isCode(error, 'EEXIST') ? await readKeys(path) : null;
    if (theirs === null) throw error;
    return theirs;
  } finally {
    await unlink(draft);
  }
}

async function readKeys(path: string): Promise<IssuerKeys | null> {
  try {
    return issuerKeysOf(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null;
    // Without the cause: the parser's message would quote the private key.
    throw new Error(`demo issuer key \`${path}\` cannot be used: delete it, and a new one is made`);
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
