import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSessionIds } from '../../src/identity/session-id.ts';
import {
  createArtefactTokens,
  createStreamTokens,
  createVisitorNames,
  type Visitor,
  visitorTokenWindowMs,
} from '../../src/identity/visitor-token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const secret = new TextEncoder().encode('a secret of this test, long enough');
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const ann: Visitor = { subject: 'ann', sessionId: 'visit-1' };
const nobody: Visitor = { subject: null, sessionId: null };

function parts(startMs?: number) {
  const clock = new VirtualClock(startMs);
  return { clock, stream: createStreamTokens({ secret, clock }), artefact: createArtefactTokens({ secret, clock }) };
}

describe("a visitor's token", () => {
  it('is one text for one visitor within its window, on every replica, and another for everybody else', () => {
    const { clock, stream, artefact } = parts();
    const first = stream.mint(ann);
    clock.advance(visitorTokenWindowMs - 1);
    expect(createStreamTokens({ secret: Uint8Array.from(secret), clock }).mint(ann)).toEqual(first);
    const others = [
      nobody,
      { ...ann, subject: 'bob' },
      { ...ann, sessionId: 'visit-2' },
      { ...ann, subject: null },
      { subject: 'visit-1', sessionId: 'ann' },
      { ...ann, generation: 1 },
    ];
    const texts = [first, ...others.map(stream.mint), artefact.mint(ann)].map(({ token }) => token);
    expect(new Set(texts).size).toBe(texts.length);
    clock.advance(1);
    expect(stream.mint(ann).token).not.toBe(first.token);
  });

  it('lives for the rest of its window and one more, whenever it is made', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (startMs) => {
        const { clock, stream } = parts(startMs);
        const { token, expiresAtMs } = stream.mint(ann);
        const lifeMs = expiresAtMs - startMs;
        expect(lifeMs > visitorTokenWindowMs && lifeMs <= 2 * visitorTokenWindowMs).toBe(true);
        clock.advance(lifeMs - 1);
        expect(stream.verify(token)?.expiresAtMs).toBe(expiresAtMs);
        clock.advance(1);
        expect(stream.verify(token)).toBeNull();
      }),
    );
  });

  it('is good for its purpose alone', () => {
    const { clock, stream, artefact } = parts();
    expect(artefact.verify(stream.mint(ann).token)).toBeNull();
    expect(stream.verify(artefact.mint(ann).token)).toBeNull();
    const { sessionId } = createSessionIds({ secret, clock }).mint(60);
    expect(stream.verify(sessionId)).toBeNull();
    expect(createSessionIds({ secret, clock }).verify(stream.mint(ann).token).state).toBe('invalid');
  });

  it('is of no use under another secret', () => {
    const { clock, stream } = parts();
    const other = createStreamTokens({ secret: new TextEncoder().encode('another secret, long enough'), clock });
    expect(other.verify(stream.mint(ann).token)).toBeNull();
  });

  it('fails when any one character is another, is cut off or put in', () => {
    const { stream } = parts();
    const { token } = stream.mint(ann);
    for (let at = 0; at <= token.length; at += 1) {
      expect(stream.verify(token.slice(0, at))?.marks).toEqual(at === token.length ? stream.verify(token)?.marks : undefined);
      for (const character of [...alphabet, '.', '=', ' ', '\u0141']) {
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        if (changed !== token) expect(stream.verify(changed), changed).toBeNull();
        expect(stream.verify(token.slice(0, at) + character + token.slice(at))).toBeNull();
      }
    }
  });

  it('is a string of our own making or nothing: any other is refused, and none throws', () => {
    const { stream } = parts();
    const alike = fc.stringMatching(/^v1\.[A-Za-z0-9_-]{74}\.[A-Za-z0-9_-]{43}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), alike), (text) => {
        expect(stream.verify(text)).toBeNull();
      }),
    );
  });

  it('carries a mark for each who is named and nothing else of them', () => {
    const { stream } = parts();
    expect(stream.verify(stream.mint(nobody).token)?.marks).toEqual([]);
    expect(stream.verify(stream.mint({ ...ann, subject: null }).token)?.marks).toHaveLength(1);
    expect(stream.verify(stream.mint(ann).token)?.marks).toHaveLength(2);
    expect(Buffer.from(stream.mint(ann).token.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain('ann');
  });
});

describe('the marks of a name', () => {
  it('are found in every living token of it, and in nobody else’s', () => {
    const names = createVisitorNames({ secret });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 * visitorTokenWindowMs }), (waitMs) => {
        const { clock, stream } = parts();
        const { token } = stream.mint(ann);
        clock.advance(waitMs);
        const content = stream.verify(token);
        if (content === null) return;
        const living = (name: string) => names.marksOf(name, clock.nowMs()).map(({ mark }) => mark);
        const named = (name: string) => content.marks.filter((mark) => living(name).includes(mark)).length;
        expect([names.subject('ann'), names.session('visit-1')].map(named)).toEqual([1, 1]);
        expect([names.subject('visit-1'), names.session('ann'), names.subject('bob')].map(named)).toEqual([0, 0, 0]);
      }),
    );
  });

  it('say until when a token may carry them', () => {
    const { clock, stream } = parts();
    const { token, expiresAtMs } = stream.mint({ ...ann, sessionId: null });
    const [mark] = stream.verify(token)?.marks ?? [];
    const living = createVisitorNames({ secret }).marksOf(createVisitorNames({ secret }).subject('ann'), clock.nowMs());
    expect(living.find((one) => one.mark === mark)?.untilMs).toBe(expiresAtMs);
  });

  it('share nothing from one window to the next, so that addresses tell nobody who came back', () => {
    const { clock, stream } = parts();
    const before = stream.verify(stream.mint(ann).token)?.marks ?? [];
    clock.advance(visitorTokenWindowMs);
    const after = stream.verify(stream.mint(ann).token)?.marks ?? [];
    expect(new Set([...before, ...after]).size).toBe(4);
  });

  it('stay when a subject’s generation is raised, and what is taken back with the generation before does not', () => {
    const { clock, stream } = parts();
    const names = createVisitorNames({ secret });
    const [before, after] = [1, 2].map((generation) => stream.verify(stream.mint({ ...ann, generation }).token));
    expect(after?.marks).toEqual(before?.marks);
    const living = (generation: number) => names.marksOf(names.signIn('ann', generation), clock.nowMs()).map(({ mark }) => mark);
    const shared = (one: typeof before, generation: number) =>
      one?.revocationMarks.filter((mark) => living(generation).includes(mark)).length;
    expect([shared(before, 1), shared(before, 2), shared(after, 1), shared(after, 2)]).toEqual([1, 0, 0, 1]);
    // The session stands by its mark, which no generation moves.
    expect(after?.revocationMarks.filter((mark) => before?.revocationMarks.includes(mark))).toEqual([after?.marks[1]]);
  });
});
