import type { Artefact } from './artefact.ts';
import type { Question } from './question.ts';
import { preparedZone, readsOf } from './reading.ts';
import type { Kind } from './vocabulary.ts';

/** The reading list: what any rule of the zones asked for could use. It follows from the artefact and the question alone. */
export interface Needs {
  /** Verify the token and the session id, and read the device link, the generation and the denylist. */
  readonly identity: boolean;
  /** Read the stored consent records. */
  readonly consent: boolean;
  /** Kinds of the zones whose session or user rung reads the session; empty: the session's record is not to be read. */
  readonly sessionKinds: readonly Kind[];
  /** Kinds of the zones whose user rung reads the profile; empty: the profile is not to be read. */
  readonly profileKinds: readonly Kind[];
  /** The same for memberships, where a source of their own tells them; empty too where they come with the profile. */
  readonly audienceKinds: readonly Kind[];
  /** Kinds of the zones whose user rung arbitrates an offer whose propensity is the model's. */
  readonly modelKinds: readonly Kind[];
  /** All of these kinds are for a person who is proved, as the question has it: of anybody else no record is of use. */
  readonly onlyProved?: true;
}

const nothing: Needs = { identity: false, consent: false, sessionKinds: [], profileKinds: [], audienceKinds: [], modelKinds: [] };

export function needs(artefact: Artefact, question: Question): Needs {
  if (question.audience === 'shared') return nothing;
  let personal = false;
  let consent = false;
  const sessionKinds: Kind[] = [];
  const profileKinds: Kind[] = [];
  const audienceKinds: Kind[] = [];
  const modelKinds: Kind[] = [];
  const audiencesComeApart = artefact.dependencies.audience.source !== null;
  for (const id of question.zones) {
    const prepared = preparedZone(artefact, id);
    if (prepared === undefined) continue;
    for (const rung of prepared.rungs) {
      const { tier } = rung.rung;
      if (tier === 'anonymous') continue;
      const reads = readsOf(rung, question.nowMs);
      if (tier === 'segment') consent ||= !artefact.contextualWithoutSignal || reads.beyondRequestFacts;
      else personal = true;
      const { kind } = prepared.zone;
      if (tier !== 'segment' && reads.session) add(sessionKinds, kind);
      if (tier !== 'user') continue;
      if (reads.profile || (reads.audiences && !audiencesComeApart)) add(profileKinds, kind);
      // Audiences of the edge too: that a caller did not name one does not say that the visitor is not in it.
      if (reads.audiences && audiencesComeApart) add(audienceKinds, kind);
      if (reads.model) add(modelKinds, kind);
    }
  }
  const kinds = { sessionKinds, profileKinds, audienceKinds, modelKinds };
  const needed = { identity: personal || consent, consent: personal || consent, ...kinds };
  return question.onlyProved === undefined ? needed : { ...needed, onlyProved: true };
}

function add(kinds: Kind[], kind: Kind): void {
  if (!kinds.includes(kind)) kinds.push(kind);
}
