/**
 * The token of one gathering: who verified, by when, and whether its holder's proof was presented for the first time. What is not
 * found out in time is `late`, and a proof of which that cannot be found out proves nobody.
 */
import type { TokenEvidence } from '../decision/facts.ts';
import type { Dependency } from '../decision/vocabulary.ts';
import type { GathererParts, StageTiming, TokenFinding, UnclaimedProof } from './gathering.ts';
import { shed } from './store-reader.ts';

/** A gathering, as far as its token needs to know it. */
export interface WaitingGathering {
  readonly complete: boolean;
  /** The last instant at which an answer counts that was asked for at `askedAtMs`. */
  limitOf(dependency: Dependency, askedAtMs: number): number;
}

export interface PresentedToken {
  readonly token: string;
  readonly proof: string | undefined;
  readonly nowMs: number;
}

export const noToken: TokenFinding = { evidence: { state: 'none' }, tokenId: null };
export const lateToken: TokenFinding = { evidence: { state: 'late' }, tokenId: null };
const failedToken: TokenFinding = { evidence: { state: 'failed' }, tokenId: null };
export const shedToken: TokenFinding = { evidence: shed, tokenId: null };

interface Arrival extends TokenFinding {
  /** Before the start where it came at once: nothing waited for it, so it is in time however little is left. */
  readonly usableFromMs: number;
  readonly endMs: number;
}

interface Claim {
  readonly askedAtMs: number;
  answer: { readonly binding: 'proved' | 'unproved' | 'failed'; readonly atMs: number } | null;
}

export class TokenStage {
  readonly #gathering: WaitingGathering;
  readonly #parts: GathererParts;
  #startMs: number | null = null;
  #arrival: Arrival | null = null;
  /** Null until it is asked whether the proof is new, or where there is none. */
  #claim: Claim | null = null;

  constructor(gathering: WaitingGathering, parts: GathererParts) {
    this.#gathering = gathering;
    this.#parts = parts;
  }

  /** Nothing is verified: the service is too busy. */
  shed(): void {
    this.#arrival = { ...shedToken, usableFromMs: Number.NEGATIVE_INFINITY, endMs: this.#parts.clock.monotonicMs() };
  }

  /** Calls back with what may be used, once it is found out. Of a token that came too late nothing may be. */
  verify({ token, proof, nowMs }: PresentedToken, onFound: (finding: TokenFinding) => void): void {
    const { clock, verifier } = this.#parts;
    this.#startMs = clock.monotonicMs();
    const found = (finding: TokenFinding, usableFromMs: number): void => {
      if (this.#gathering.complete) return;
      this.#arrival = { ...finding, usableFromMs, endMs: clock.monotonicMs() };
      onFound(this.#isInTime(this.#arrival) ? finding : lateToken);
    };
    try {
      const verified = verifier.verify(token, { proof, nowMs });
      if (!(verified instanceof Promise)) found(verified, Number.NEGATIVE_INFINITY);
      else {
        verified.then(
          (value) => found(value, clock.monotonicMs()),
          () => found(failedToken, clock.monotonicMs()),
        );
      }
    } catch {
      found(failedToken, Number.NEGATIVE_INFINITY);
    }
  }

  /** Asks whether the proof is presented for the first time; at once where there is nobody to ask. Calls back when that is known. */
  claim({ id, lifeMs }: UnclaimedProof, onSettled: () => void): void {
    const { clock, claimProof } = this.#parts;
    const claim: Claim = { askedAtMs: clock.monotonicMs(), answer: null };
    this.#claim = claim;
    const settle = (binding: 'proved' | 'unproved' | 'failed'): void => {
      if (this.#gathering.complete) return;
      claim.answer = { binding, atMs: clock.monotonicMs() };
      onSettled();
    };
    if (claimProof === undefined) {
      settle('failed');
      return;
    }
    claimed(claimProof, id, lifeMs).then(
      (isFirst) => settle(isFirst ? 'proved' : 'unproved'),
      () => settle('failed'),
    );
  }

  get isBeingClaimed(): boolean {
    return this.#claim !== null && this.#claim.answer === null;
  }

  at(atMs: number): TokenEvidence {
    const arrival = this.#arrival;
    if (arrival === null) return this.#startMs === null ? noToken.evidence : lateToken.evidence;
    if (arrival.usableFromMs > atMs || !this.#isInTime(arrival)) return lateToken.evidence;
    const { evidence, proof } = arrival;
    return evidence.state === 'verified' && proof ? { ...evidence, binding: this.#bindingAt(atMs) } : evidence;
  }

  timing(): StageTiming | null {
    return this.#startMs === null ? null : { startMs: this.#startMs, endMs: this.#arrival?.endMs ?? null };
  }

  #bindingAt(atMs: number): 'proved' | 'unproved' | 'late' | 'failed' {
    const claim = this.#claim;
    if (claim === null || claim.answer === null) return 'late';
    const { binding, atMs: answeredAtMs } = claim.answer;
    return answeredAtMs <= Math.min(atMs, this.#gathering.limitOf('identity', claim.askedAtMs)) ? binding : 'late';
  }

  #isInTime({ usableFromMs }: Arrival): boolean {
    return usableFromMs <= this.#gathering.limitOf('identity', this.#startMs ?? usableFromMs);
  }
}

/** What may be read for a token: as if its holder's proof were new, which is found out meanwhile. */
export function hopefully({ evidence, proof }: TokenFinding): TokenEvidence {
  return evidence.state === 'verified' && proof ? { ...evidence, binding: 'proved' } : evidence;
}

/** A store may also throw before it returns a promise. */
async function claimed(claimProof: NonNullable<GathererParts['claimProof']>, id: string, lifeMs: number): Promise<boolean> {
  return claimProof(id, lifeMs);
}
