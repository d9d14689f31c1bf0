/** Whether an artefact is what the service signed: checked each time before it is used, wherever it comes from. */
import type { DeviceArtefact } from '../device/device-artefact.ts';
import type { PublicKey } from './types.ts';

/** Clocks of devices are often slow. */
const skewSeconds = 600;

/** The service's `exp` is at most a week after `nbf`, and its `nbf` five minutes before `iat`. */
const lifeMaxSeconds = 605_000;

/** Nothing for whatever may not be used: unsigned, changed, not begun, or without an end. That it is over is seen at each use. */
export async function verified(
  jws: string | undefined,
  keys: readonly PublicKey[] | undefined,
  nowMs: number,
): Promise<DeviceArtefact | undefined> {
  try {
    // What is missing throws below, as whatever else is wrong does.
    const [header, payload, signature] = (jws as string).split('.') as [string, string, string];
    const { alg, typ, kid } = jsonIn(header);
    const { x } = (keys as readonly PublicKey[]).find((one) => one.kid === kid) as PublicKey;
    const { subtle } = crypto;
    const key = await subtle.importKey('raw', bytesOf(x as string), 'Ed25519', false, ['verify']);
    const isSigned = await subtle.verify('Ed25519', key, bytesOf(signature), unitsOf(`${header}.${payload}`));
    const artefact = jsonIn(payload) as DeviceArtefact;
    const { format, iat, exp } = artefact;
    const isOurs = isSigned && alg === 'Ed25519' && typ === 'stepwell-artefact+jws' && format === 1;
    return isOurs && iat <= nowMs / 1000 + skewSeconds && exp < iat + lifeMaxSeconds ? artefact : undefined;
  } catch {
    return undefined;
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
