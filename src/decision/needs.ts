import type { Artefact, Rung, Zone } from './artefact.ts';
import type { Question } from './question.ts';
import { readablesOf } from './reading.ts';
import type { Kind } from './vocabulary.ts';

/** The reading list: what any rule of the zones asked for could use. It follows from the artefact and the question alone. */
export interface Needs {
  /** Verify the token and the session id, and read the device link, the generation and the denylist. */
  readonly identity: boolean;
  /** Read the stored consent records. */
  readonly consent: boolean;
  /** Read the session's record. */
  readonly session: boolean;
  /** Kinds of the zones whose user rung reads the profile; empty: the profile is not to be read. */
  readonly profileKinds: readonly Kind[];
}

const nothing: Needs = { identity: false, consent: false, session: false, profileKinds: [] };

export function needs(artefact: Artefact, question: Question): Needs {
  if (question.audience === 'shared') return nothing;
  const rungs = question.zones.flatMap((id) => rungsOf(artefact, id)).filter(({ rung }) => rung.tier !== 'anonymous');
  const reads = rungs.map(({ zone, rung }) => ({ zone, rung, readables: readablesOf(artefact, zone, rung, question.nowMs) }));
  const personal = reads.some(({ rung }) => rung.tier === 'user' || rung.tier === 'session');
  const consent =
    personal ||
    reads.some(({ readables }) => !artefact.contextualWithoutSignal || readables.some(({ sensitivity }) => sensitivity.class !== 'S0'));
  const withProfile = reads.filter(
    ({ rung, readables }) => rung.tier === 'user' && readables.some(({ reads }) => reads.profile || reads.audiences),
  );
  return {
    identity: consent,
    consent,
    session: reads.some(({ rung, readables }) => rung.tier !== 'segment' && readables.some(({ reads }) => reads.session)),
    profileKinds: [...new Set(withProfile.map(({ zone }) => zone.kind))],
  };
}

function rungsOf(artefact: Artefact, id: string): readonly { zone: Zone; rung: Rung }[] {
  const zone = Object.hasOwn(artefact.zones, id) ? artefact.zones[id] : undefined;
  return zone === undefined ? [] : zone.ladder.map((rung) => ({ zone, rung }));
}
