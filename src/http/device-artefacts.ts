/**
 * What devices are given to decide by: the policy in force, trimmed to what may leave, signed once for each hour and kept. Between two hours
 * the same policy has the same bytes in every process with this key. INVARIANT: it is a function of the policy, the hour and the key alone.
 * It is made in pieces, so that no decision waits for it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Artefact, deviceDefaults } from '../decision/artefact.ts';
import { artefactCharactersMax, type DeviceArtefact } from '../device/device-artefact.ts';
import { trimInPieces } from '../device/trim.ts';
import type { ArtefactKeys } from '../identity/artefact-keys.ts';
import type { Clock } from '../time/clock.ts';
import { inTurns } from '../time/in-turns.ts';
import { daySeconds } from '../time/units.ts';
import { etagOf } from './validators.ts';

export interface SignedArtefact {
  readonly jws: string;
  readonly etag: string;
}

export interface DeviceArtefacts {
  /** Of the hour before, while the next is being made; waits where there is none yet. */
  current(artefact: Artefact): Promise<SignedArtefact | NoArtefact>;
  /** Makes what will be asked for, before it is: nothing waits for a signature but who comes first. */
  prepare(artefact: Artefact): Promise<void>;
}

/** Devices are to forget what they have: the policy says so, or what may leave is more than they read. */
export type NoArtefact = 'killed' | 'too_large';

export const tooLargeSentence = `what the policy lets leave for devices is larger than the ${artefactCharactersMax} characters that they read, so they get none of it`;

interface Parts {
  readonly keys: () => ArtefactKeys;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Hears of what may leave and is too large for it, once for each policy. */
  readonly onTooLarge?: (artefact: Artefact) => void;
}

const hourSeconds = 3_600;
export const artefactWindowMs = hourSeconds * 1000;
/** For a device whose clock is behind. */
const clockToleranceSeconds = 300;
/** As `DeviceArtefact` promises: of what is signed now nothing can be used in a week. */
const lifeMaxSeconds = 7 * daySeconds;

interface Making {
  readonly artefact: Artefact;
  readonly keys: ArtefactKeys;
  readonly windowMs: number;
}

interface Made extends Making {
  readonly signed: SignedArtefact | 'too_large';
}

export function createDeviceArtefacts({ keys, clock, onTooLarge = () => {} }: Parts): DeviceArtefacts {
  let made: Made | null = null;
  let making: { readonly of: Making; readonly coming: Promise<Made> } | null = null;
  let told: Artefact | null = null;

  function wanted(artefact: Artefact): Making {
    return { artefact, keys: keys(), windowMs: Math.floor(clock.nowMs() / artefactWindowMs) * artefactWindowMs };
  }

  async function make(of: Making): Promise<Made> {
    const signed = await signedInPieces(of);
    if (signed === 'too_large' && told !== of.artefact) {
      told = of.artefact;
      onTooLarge(of.artefact);
    }
    return { ...of, signed };
  }

  /** One at a time for each thing: who asks while it is being made waits for that. */
  function prepared(of: Making): Promise<Made> {
    if (made !== null && isSame(made, of)) return Promise.resolve(made);
    if (making !== null && isSame(making.of, of)) return making.coming;
    const coming = make(of).then(
      (done) => {
        // What was asked for later is the newer one, whichever is done first.
        if (making?.coming === coming) [made, making] = [done, null];
        return done;
      },
      (error) => {
        if (making?.coming === coming) making = null;
        throw error;
      },
    );
    making = { of, coming };
    return coming;
  }

  return {
    async current(artefact) {
      if (artefact.device?.enabled === false) return 'killed';
      // Once the hour has passed, the one before is as good until the next has been made beside the requests.
      const isGood = made?.artefact === artefact && made.keys === keys() && clock.nowMs() - made.windowMs < 2 * artefactWindowMs;
      return (made !== null && isGood ? made : await prepared(wanted(artefact))).signed;
    },
    async prepare(artefact) {
      if (artefact.device?.enabled !== false) await prepared(wanted(artefact));
    },
  };
}

function isSame(one: Making, other: Making): boolean {
  return one.artefact === other.artefact && one.keys === other.keys && one.windowMs === other.windowMs;
}

async function signedInPieces({ artefact, keys, windowMs }: Making): Promise<SignedArtefact | 'too_large'> {
  const iat = Math.floor(windowMs / 1000);
  const nbf = iat - clockToleranceSeconds;
  const { maxAgeHours } = artefact.device ?? deviceDefaults;
  // Who asks at the end of the hour has it for as long as the policy says.
  const exp = Math.min(iat + hourSeconds * (maxAgeHours + 1), nbf + lifeMaxSeconds);
  const payload: DeviceArtefact = { ...(await inTurns(trimInPieces(artefact, windowMs))).artefact, iat, nbf, exp };
  // To write and to sign what is too large would take long, and be for nothing.
  if (await inTurns(isLargerThan(payload, payloadBytesMax))) return 'too_large';
  await nextTurn();
  const jws = keys.sign(payload);
  if (jws.length > artefactCharactersMax) return 'too_large';
  await nextTurn();
  return { jws, etag: etagOf(jws) };
}

/** Base64 writes three bytes with four characters. */
const payloadBytesMax = (artefactCharactersMax * 3) / 4;
const piece = 64;

/** By the lengths of its parts alone, so rather smaller than it is. */
function* isLargerThan(payload: DeviceArtefact, bytesMax: number): Generator<undefined, boolean> {
  let bytes = 0;
  let count = 0;
  for (const entries of [payload.pages, payload.zones, payload.offers, payload.variants]) {
    for (const name in entries) {
      bytes += Buffer.byteLength(JSON.stringify(entries[name]));
      if (bytes > bytesMax) return true;
      count += 1;
      if (count % piece === 0) yield;
    }
  }
  return false;
}
