import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSessionIds, sessionLifeMaxSeconds } from '../../src/identity/session-id.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const secret = new TextEncoder().encode('a secret of this test, long enough');
const clock = new VirtualClock();
const sessionIds = createSessionIds({ secret, clock });
const invalid = { state: 'invalid' };
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

describe('a session id', () => {
  it('verifies where it was made and on every replica with the same secret', () => {
    const { sessionId, id, expiresAtMs } = sessionIds.mint(1800);
    const replica = createSessionIds({ secret: Uint8Array.from(secret), clock });
    expect(expiresAtMs).toBe(clock.nowMs() + 1_800_000);
    for (const verifier of [sessionIds, replica]) expect(verifier.verify(sessionId)).toEqual({ state: 'verified', id, expiresAtMs });
  });

  it('is of no use under another secret', () => {
    const other = createSessionIds({ secret: new TextEncoder().encode('another secret, long enough'), clock });
    expect(other.verify(sessionIds.mint(60).sessionId)).toEqual(invalid);
  });

  it('ends at its instant, not a millisecond later', () => {
    const moving = new VirtualClock();
    const moved = createSessionIds({ secret, clock: moving });
    const { sessionId } = moved.mint(60);
    moving.advance(59_999);
    expect(moved.verify(sessionId).state).toBe('verified');
    moving.advance(1);
    expect(moved.verify(sessionId)).toEqual(invalid);
  });

  it('never lives longer than a day', () => {
    expect(sessionIds.mint(sessionLifeMaxSeconds).expiresAtMs).toBe(clock.nowMs() + 86_400_000);
    for (const ttlSeconds of [sessionLifeMaxSeconds + 1, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => sessionIds.mint(ttlSeconds)).toThrow(RangeError);
    }
  });

  it('is random: 18 bytes that do not repeat', () => {
    const ids = Array.from({ length: 1000 }, () => sessionIds.mint(60).id);
    expect(new Set(ids).size).toBe(1000);
    expect(ids.every((id) => Buffer.from(id, 'base64url').length === 18)).toBe(true);
  });

  it('fails when any one character is another', () => {
    const { sessionId } = sessionIds.mint(60);
    for (let at = 0; at < sessionId.length; at += 1) {
      for (const character of [...alphabet, '.', '=', ' ', '\u0141']) {
        const changed = sessionId.slice(0, at) + character + sessionId.slice(at + 1);
        if (changed !== sessionId) expect(sessionIds.verify(changed), changed).toEqual(invalid);
      }
    }
  });

  it('fails when anything is cut off, put in or added', () => {
    const { sessionId } = sessionIds.mint(60);
    for (let at = 0; at <= sessionId.length; at += 1) {
      if (at < sessionId.length) expect(sessionIds.verify(sessionId.slice(0, at))).toEqual(invalid);
      for (const more of ['A', '=', '\n', '.', ' '])
        expect(sessionIds.verify(sessionId.slice(0, at) + more + sessionId.slice(at))).toEqual(invalid);
    }
  });

  it('is a string of our own making or nothing: any other is invalid, and none throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^s1\.[A-Za-z0-9_-]{32}\.[A-Za-z0-9_-]{43}$/)), (text) => {
        expect(sessionIds.verify(text)).toEqual(invalid);
      }),
    );
  });

  it('asks for a secret that cannot be searched for', () => {
    expect(() => createSessionIds({ secret: new Uint8Array(15), clock })).toThrow(RangeError);
  });
});

describe('the check of every character', () => {
  /** The planted fault: signatures compared as bytes. Of the last character's spellings it takes four, so the table sees it. */
  it('would see signatures compared as bytes', () => {
    const { sessionId } = sessionIds.mint(60);
    const [version, body, mac] = sessionId.split('.');
    const expected = createHmac('sha256', secret).update(`stepwell session id\n${version}.${body}`).digest();
    expect(Buffer.from(mac ?? '', 'base64url')).toEqual(expected);
    const taken = [...alphabet].filter((last) => Buffer.from(`${mac?.slice(0, -1)}${last}`, 'base64url').equals(expected));
    expect(taken).toHaveLength(4);
  });
});
