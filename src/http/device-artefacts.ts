/**
 * What devices are given to decide by: the policy in force, trimmed to what may leave, signed once for each hour and kept. Between two hours
 * the same policy has the same bytes in every process with this key. INVARIANT: it is a function of the policy, the hour and the key alone.
 */
import { hash } from 'node:crypto';
import { type Artefact, deviceDefaults } from '../decision/artefact.ts';
import type { DeviceArtefact } from '../device/device-artefact.ts';
import { trim } from '../device/trim.ts';
import type { ArtefactKeys } from '../identity/artefact-keys.ts';
import type { Clock } from '../time/clock.ts';
import { daySeconds } from '../time/units.ts';

export interface SignedArtefact {
  readonly jws: string;
  readonly etag: string;
}

export interface DeviceArtefacts {
  /** Null: devices are to forget what they have. */
  current(artefact: Artefact): SignedArtefact | null;
  /** Makes what will be asked for, before it is: nothing waits for a signature but who comes first. */
  prepare(artefact: Artefact): void;
}

interface Parts {
  readonly keys: () => ArtefactKeys;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const hourSeconds = 3_600;
export const artefactWindowMs = hourSeconds * 1000;
/** For a device whose clock is behind. */
const clockToleranceSeconds = 300;
/** As `DeviceArtefact` promises: of what is signed now nothing can be used in a week. */
const lifeMaxSeconds = 7 * daySeconds;

interface Made {
  readonly artefact: Artefact;
  readonly keys: ArtefactKeys;
  readonly windowMs: number;
  readonly signed: SignedArtefact;
}

export function createDeviceArtefacts({ keys, clock }: Parts): DeviceArtefacts {
  let made: Made | null = null;

  function prepare(artefact: Artefact): SignedArtefact {
    const windowMs = Math.floor(clock.nowMs() / artefactWindowMs) * artefactWindowMs;
    const signing = keys();
    if (made === null || made.artefact !== artefact || made.keys !== signing || made.windowMs !== windowMs) {
      made = { artefact, keys: signing, windowMs, signed: signed(artefact, signing, windowMs) };
    }
    return made.signed;
  }

  return {
    // Once the hour has passed, the one before is as good until the next has been made beside the requests.
    current(artefact) {
      if (artefact.device?.enabled === false) return null;
      return made?.artefact === artefact && made.keys === keys() && clock.nowMs() - made.windowMs < 2 * artefactWindowMs
        ? made.signed
        : prepare(artefact);
    },
    prepare(artefact) {
      if (artefact.device?.enabled !== false) prepare(artefact);
    },
  };
}

function signed(artefact: Artefact, keys: ArtefactKeys, windowMs: number): SignedArtefact {
  const iat = Math.floor(windowMs / 1000);
  const nbf = iat - clockToleranceSeconds;
  const { maxAgeHours } = artefact.device ?? deviceDefaults;
  // Who asks at the end of the hour has it for as long as the policy says.
  const exp = Math.min(iat + hourSeconds * (maxAgeHours + 1), nbf + lifeMaxSeconds);
  const payload: DeviceArtefact = { ...trim(artefact, windowMs).artefact, iat, nbf, exp };
  const jws = keys.sign(payload);
  return { jws, etag: `"${hash('sha256', jws, 'base64url')}"` };
}
