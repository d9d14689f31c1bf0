/**
 * Tells the streams of a visitor, in whatever process they are open, that an answer they hold may have changed, or that they are over. What
 * is said on the way names nobody: it is an HMAC under the session secret.
 */

import type { VisitorNames } from '../identity/visitor-token.ts';
import { announcedWordsMax } from '../records/announcements.ts';
import { emptyPlan, type Store } from '../records/store.ts';
import type { Clock } from '../time/clock.ts';

export type ChangedVisitor = { readonly subject: string } | { readonly sessionId: string };

/** Of a subject, those generations whose tokens are over: who signs in again has tokens of the next. */
export type EndedVisitor = { readonly subject: string; readonly generations: readonly number[] } | { readonly sessionId: string };

export interface VisitorChanges {
  /** Nobody waits for it, and it may get lost: a stream is renewed every few minutes, and whoever asks anew is answered as things stand. */
  changed(visitor: ChangedVisitor): void;
  /** The same, and no token that is made out to the visitor is good any more. Resolves when that holds in every process. */
  ended(visitor: EndedVisitor): Promise<void>;
}

interface Parts {
  readonly store: Pick<Store, 'announce' | 'revokeToken'>;
  readonly names: VisitorNames;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const words = { changed: 'c', ended: 'e' } as const;

export interface HeardChange {
  readonly name: string;
  readonly isEnd: boolean;
}

/** Null for a word that none of us says. */
export function heardChange(word: string): HeardChange | null {
  const [, kind, name] = /^([ce]):([\w-]{43})$/.exec(word) ?? [];
  return name === undefined ? null : { name, isEnd: kind === words.ended };
}

export function createVisitorChanges({ store, names, clock }: Parts): VisitorChanges {
  const nameOf = (visitor: ChangedVisitor): string =>
    'subject' in visitor ? names.subject(visitor.subject) : names.session(visitor.sessionId);
  const announce = (kind: keyof typeof words, name: string): void => {
    store.announce([`${words[kind]}:${name}`]).catch(() => {});
  };
  return {
    changed: (visitor) => announce('changed', nameOf(visitor)),
    async ended(visitor) {
      const name = nameOf(visitor);
      const revoked = 'subject' in visitor ? visitor.generations.map((each) => names.signIn(visitor.subject, each)) : [name];
      const marks = revoked.flatMap((one) => names.marksOf(one, clock.nowMs()));
      // Before it is announced: who was told and looks finds it.
      await Promise.all(marks.map(({ mark, untilMs }) => store.revokeToken(revocationOf(mark), untilMs)));
      announce('ended', name);
    },
  };
}

/**
 * The same for many subjects whose records one command wrote, in as few announcements as hold them. Resolves when all are said; one that
 * cannot be said is lost.
 */
export async function tellOfSubjects(subjects: Iterable<string>, { store, names }: Pick<Parts, 'names'> & AnnouncingStore): Promise<void> {
  const said = [...new Set(subjects)].map((subject) => `${words.changed}:${names.subject(subject)}`);
  const announcements: Promise<void>[] = [];
  for (let from = 0; from < said.length; from += announcedWordsMax) {
    announcements.push(store.announce(said.slice(from, from + announcedWordsMax)).catch(() => {}));
  }
  await Promise.all(announcements);
}

interface AnnouncingStore {
  readonly store: Pick<Store, 'announce'>;
}

/** For a service that gives visitors no tokens. */
export const noVisitorChanges: VisitorChanges = { changed() {}, ended: async () => {} };

/** Whether a token with these revocation marks was taken back. Rejects where the store does not say. */
export async function isTakenBack(store: Pick<Store, 'read'>, revocationMarks: readonly string[]): Promise<boolean> {
  const readings = await Promise.all(revocationMarks.map((mark) => store.read({ ...emptyPlan, tokenId: revocationOf(mark) })));
  return readings.some(({ tokenRevoked }) => tokenRevoked);
}

/** Beside the tokens of an issuer, whose names end with a line of their own. */
function revocationOf(mark: string): string {
  return `stepwell visitor token\n${mark}`;
}
