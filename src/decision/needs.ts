import type { Artefact } from './artefact.ts';
import type { Question } from './question.ts';
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

export declare function needs(artefact: Artefact, question: Question): Needs;
