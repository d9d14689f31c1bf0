/** Whether an artefact is what the service signed: checked each time before it is used, wherever it comes from. */
import type { DeviceArtefact } from '../device/device-artefact.ts';
import type { PublicKey } from './types.ts';

/** Clocks of devices are often slow. */
const skewSeconds = 300;

/** Null for whatever may not be used: unsigned, changed, not begun, or older than one that was seen. That it is over is seen at each use. */
export async function verified(jws: string, keys: readonly PublicKey[], nowMs: number, seenIat: number): Promise<DeviceArtefact | null> {
  try {
    const [header = '', payload = '', signature = ''] = jws.split('.');
    const { alg, typ, kid } = jsonIn(header);
    const key = keys.find((one) => one.kid === kid);
    if (alg !== 'Ed25519' || typ !== 'stepwell-artefact+jws' || !key) return null;
    const { subtle } = crypto;
    const imported = await subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', x: key.x as string }, alg, false, ['verify']);
    const signed = unitsOf(`${header}.${payload}`);
    if (!(await subtle.verify(alg, imported, bytesOf(signature), signed))) return null;
    const artefact = jsonIn(payload) as DeviceArtefact;
    const { format, iat, nbf } = artefact;
    return format === 1 && iat >= seenIat && nbf <= nowMs / 1000 + skewSeconds ? artefact : null;
  } catch {
    return null;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: what comes out is looked at member by member
function jsonIn(part: string): any {
  return JSON.parse(new TextDecoder().decode(bytesOf(part)));
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  return unitsOf(atob(base64url.replace(/-/g, '+').replace(/_/g, '/')));
}

/** One byte for each unit of a text that has no others than those below 256. */
function unitsOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (unit) => unit.charCodeAt(0));
}
