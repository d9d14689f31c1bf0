/** The bounds of streams: how many, for whom, how long, and what becomes of a page that does not read. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  changeStreamsMax,
  changeStreamsOfNobodyFreeMax,
  changeStreamsOfNobodyMax,
  changeStreamsOfNobodyPerAddressMax,
  changeStreamsPerMarkMax,
  createChangeStreams,
  type StreamOutput,
  streamsEndWithinMs,
} from '../../src/http/change-streams.ts';
import { createVisitorChanges } from '../../src/http/visitor-changes.ts';
import { createVisitorTokenSet, type Visitor, visitorTokenWindowMs } from '../../src/identity/visitor-token.ts';
import type { Hear } from '../../src/records/announcements.ts';
import { emptyReading } from '../../src/records/reading.ts';
import type { ReadPlan } from '../../src/records/store.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const nobody: Visitor = { subject: null, sessionId: null };
const visitorOf = (subject: string): Visitor => ({ subject, sessionId: null });

/** A page: what it was told, and whether it was let go of. */
interface Page extends StreamOutput {
  writableLength: number;
  text: string;
  state: 'open' | 'ended' | 'destroyed';
}

function page(): Page {
  return {
    writableLength: 0,
    text: '',
    state: 'open',
    write(text) {
      this.text += text;
    },
    end() {
      this.state = 'ended';
    },
    destroy() {
      this.state = 'destroyed';
    },
  };
}

function scene({ random = () => 0 }: { readonly random?: () => number } = {}) {
  const clock = new VirtualClock();
  const tokens = createVisitorTokenSet({ secret: Buffer.alloc(32, 1), clock });
  const listeners = new Set<Hear>();
  const revoked = new Set<string>();
  /** `answer`: when, and whether, the store answers. */
  const reads = { count: 0, answer: async (): Promise<void> => {} };
  const store = {
    listen(hear: Hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    read: async ({ tokenId }: ReadPlan) => {
      reads.count += 1;
      await reads.answer();
      return { ...emptyReading, tokenRevoked: revoked.has(tokenId ?? '') };
    },
    announce: async (words: readonly string[]) => {
      for (const hear of [...listeners]) hear(words);
    },
    revokeToken: async (id: string) => void revoked.add(id),
  };
  const policy: { revision: string | null } = { revision: 'first' };
  const count = { open: 0 };
  const streams = createChangeStreams({ store, names: tokens.names, clock, revision: () => policy.revision, random, count });
  const changes = createVisitorChanges({ store, names: tokens.names, clock });
  function openWith(token: string, address?: string, heardOf?: string) {
    const output = page();
    const content = tokens.stream.verify(token);
    if (content === null) throw new Error('the token is over');
    const { marks, revocationMarks, expiresAtMs } = content;
    const opened = streams.open({ marks, revocationMarks, tokenExpiresAtMs: expiresAtMs, output, address, heardOf: heardOf ?? null });
    const refused = typeof opened === 'string' ? opened : null;
    return { output, refused, gone: () => typeof opened !== 'string' && opened.gone() };
  }
  const mint = (visitor: Visitor) => tokens.stream.mint(visitor);
  const open = (visitor: Visitor, address?: string) => openWith(mint(visitor).token, address);
  const comeBack = (visitor: Visitor, heardOf: string) => openWith(mint(visitor).token, undefined, heardOf);
  return {
    clock,
    count,
    mint,
    openWith,
    listeners,
    reads,
    streams,
    changes,
    open,
    comeBack,
    policy,
    hear(words: readonly string[] | null) {
      for (const listener of [...listeners]) listener(words);
    },
  };
}

const toldOf = (pages: readonly Page[]) => pages.filter(({ text }) => text.includes('refetchEvaluation')).length;

describe('streams', () => {
  it('are bounded, for a visitor and for the process, and one that goes makes room', () => {
    const { open } = scene();
    const hers = Array.from({ length: changeStreamsPerMarkMax }, () => open(visitorOf('ann')));
    expect(open(visitorOf('ann')).refused).toBe('visitor_has_many');
    const others = Array.from({ length: changeStreamsMax - changeStreamsPerMarkMax }, (_, index) => open(visitorOf(`${index}`)));
    expect(others.every(({ refused }) => refused === null)).toBe(true);
    expect(open(visitorOf('bob')).refused).toBe('full');
    hers[0]?.gone();
    hers[0]?.gone();
    expect(open(visitorOf('bob')).refused).toBeNull();
    expect(open(nobody).refused).toBe('full');
  });

  it('of nobody leave room for who has a session or is signed in, from however many addresses they are opened', () => {
    const { open, streams, mint } = scene();
    const visit: Visitor = { subject: null, sessionId: 'visit' };
    const all = Array.from({ length: changeStreamsOfNobodyMax }, (_, index) => open(nobody, `10.0.${index >> 8}.${index & 255}`));
    expect(all.every(({ refused }) => refused === null)).toBe(true);
    expect(open(nobody, '10.1.0.0').refused).toBe('full');
    expect([nobody, visit, visitorOf('ann')].map((visitor) => streams.hasRoom(mint(visitor).marks))).toEqual([false, true, true]);
    expect([visit, visitorOf('ann')].map((visitor) => open(visitor, '10.0.0.1').refused)).toEqual([null, null]);
    all[0]?.gone();
    all[0]?.gone();
    expect(streams.hasRoom([])).toBe(true);
    expect([open(nobody, '10.1.0.0'), open(nobody, '10.1.0.1')].map(({ refused }) => refused)).toEqual([null, 'full']);
  });

  it('of nobody are many at one address, as behind a proxy, until few are left: then each address has its own share', () => {
    const { open } = scene();
    const opened = (address: string) => {
      let count = 0;
      while (open(nobody, address).refused === null) count += 1;
      expect(open(nobody, address).refused).toBe('visitor_has_many');
      return count;
    };
    expect(opened('10.0.0.1')).toBe(changeStreamsOfNobodyFreeMax);
    expect(opened('10.0.0.2')).toBe(changeStreamsOfNobodyPerAddressMax);
    expect(opened('2001:db8::1')).toBe(changeStreamsOfNobodyPerAddressMax);
    expect(['::ffff:10.0.0.2', '2001:db8::2'].map((address) => open(nobody, address).refused)).toEqual(Array(2).fill('visitor_has_many'));
    expect(open(nobody, '2001:db8:0:1::1').refused).toBeNull();
    expect(open(visitorOf('ann'), '10.0.0.1').refused).toBeNull();
  });

  it('have room for a visitor who has few of them, as for anybody, and say so', () => {
    const { open, streams, mint } = scene();
    const [hers] = Array.from({ length: changeStreamsPerMarkMax }, () => open(visitorOf('ann')));
    const roomFor = (visitor: Visitor) => streams.hasRoom(mint(visitor).marks);
    expect([visitorOf('ann'), { ...visitorOf('ann'), sessionId: 'visit' }, visitorOf('bob'), nobody].map(roomFor)).toEqual([
      false,
      false,
      true,
      true,
    ]);
    hers?.gone();
    expect(roomFor(visitorOf('ann'))).toBe(true);
  });

  it('are counted while they are open', () => {
    const { open, count, streams } = scene();
    const [first] = [open(nobody), open(visitorOf('ann'))];
    expect(count.open).toBe(2);
    first?.gone();
    first?.gone();
    expect(count.open).toBe(1);
    streams.close();
    expect(count.open).toBe(0);
  });

  it('cost nothing while there are none: nobody listens and no timer waits', () => {
    const { clock, listeners, open } = scene();
    expect([listeners.size, clock.pendingTimers]).toEqual([0, 0]);
    const { gone } = open(nobody);
    expect([listeners.size, clock.pendingTimers]).toEqual([1, 1]);
    gone();
    expect([listeners.size, clock.pendingTimers]).toEqual([0, 0]);
    open(nobody);
    expect([listeners.size, clock.pendingTimers]).toEqual([1, 1]);
  });

  it('hear of a new policy a few at a time, each once', () => {
    const { clock, open, policy } = scene();
    const pages = Array.from({ length: 200 }, () => open(nobody).output);
    policy.revision = 'second';
    clock.advance(1000);
    expect(toldOf(pages)).toBe(64);
    clock.advance(25);
    expect(toldOf(pages)).toBe(128);
    clock.advance(60);
    expect(toldOf(pages)).toBe(200);
    clock.advance(5000);
    expect(pages.every(({ text }) => text.split('refetchEvaluation').length === 2)).toBe(true);
  });

  it('say which policy is in force, and with each notice which is by now', () => {
    const { clock, open, changes, policy } = scene();
    const { output } = open(visitorOf('ann'));
    const notice = 'event: message\ndata: {"type":"refetchEvaluation"}\n\n';
    expect(output.text).toBe('id: first\n\n');
    changes.changed({ subject: 'ann' });
    policy.revision = 'second';
    clock.advance(1000);
    expect(output.text).toBe(`id: first\n\nid: first\n${notice}id: second\n${notice}`);
  });

  it.each([0, 1])('of pages that come back hear of a policy that was put in force meanwhile, once: beside %s others', (others) => {
    const { clock, open, comeBack, policy } = scene();
    for (let count = 0; count < others; count += 1) open(nobody);
    open(nobody).gone();
    policy.revision = 'second';
    clock.advance(2000);
    const pages = [comeBack(nobody, 'first').output, comeBack(visitorOf('ann'), 'first').output];
    expect(pages.map(({ text }) => text.startsWith('id: second\nevent: message\n'))).toEqual([true, true]);
    clock.advance(5000);
    expect(toldOf(pages)).toBe(2);
    expect(pages.every(({ text }) => text.split('refetchEvaluation').length === 2)).toBe(true);
  });

  it('of visitors who come back are told to ask again in any case: something about them may have been said meanwhile', () => {
    const { comeBack, policy } = scene();
    const visits: readonly Visitor[] = [visitorOf('ann'), { subject: null, sessionId: 'visit' }];
    expect(visits.map((visit) => comeBack(visit, 'first').output.text.split('refetchEvaluation').length)).toEqual([2, 2]);
    policy.revision = null;
    expect(toldOf(visits.map((visit) => comeBack(visit, 'first').output))).toBe(2);
  });

  it('of nobody’s pages that come back need not be told anything while the policy is the same, nor of pages that ask for the first time', () => {
    const { clock, open, comeBack } = scene();
    const pages = [...Array.from({ length: 100 }, () => comeBack(nobody, 'first').output), open(nobody).output];
    clock.advance(2000);
    expect(pages.every(({ text }) => text === 'id: first\n\n')).toBe(true);
  });

  it('name no policy where there is none, and send nobody to ask', () => {
    const { comeBack, policy } = scene();
    policy.revision = null;
    expect(comeBack(nobody, 'first').output.text).toBe('');
  });

  it.each([0, 0.5, 0.999_999])('end before their token does, by half a window at most, at random: %s', (drawn) => {
    const { clock, open } = scene({ random: () => drawn });
    const { output } = open(visitorOf('ann'));
    const endsMs = 2 * visitorTokenWindowMs - (clock.nowMs() % visitorTokenWindowMs) - Math.floor((drawn * visitorTokenWindowMs) / 2);
    clock.advance(endsMs - 1000);
    expect(output.state).toBe('open');
    clock.advance(2000);
    expect([output.state, toldOf([output])]).toEqual(['ended', 1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([0, 0.5, 0.999_999])('are not opened again with a token whose streams end, so that nobody is sent away twice: %s', (drawn) => {
    const { clock, mint, openWith } = scene({ random: () => drawn });
    const { token, expiresAtMs } = mint(visitorOf('ann'));
    let opened = 0;
    // A page that comes back with what it has as soon as it was sent away, as long as the token says that it is good.
    for (let page = openWith(token); ; page = openWith(token)) {
      if (page.refused === null) opened += 1;
      while (page.refused === null && page.output.state === 'open') clock.advance(1000);
      clock.advance(1000);
      if (clock.nowMs() >= expiresAtMs) break;
      expect(opened).toBe(1);
    }
    expect(opened).toBe(1);
  });

  it('are not opened where they might end at any moment', () => {
    const { clock, mint, openWith } = scene();
    const { token, expiresAtMs } = mint(nobody);
    clock.advance(expiresAtMs - clock.nowMs() - streamsEndWithinMs - 1);
    expect(openWith(token).refused).toBeNull();
    clock.advance(1);
    expect(openWith(token).refused).toBe('token_ends');
  });

  it('that nobody reads are let go of, and nothing is kept for them', () => {
    const { clock, open } = scene();
    const { output } = open(nobody);
    output.writableLength = 16_385;
    clock.advance(15_000);
    expect([output.state, output.text]).toEqual(['destroyed', 'id: first\n\n']);
  });

  it('of whom it was taken back while nobody could hear end when somebody looks, and all others ask again', async () => {
    const { open, changes, listeners, hear } = scene();
    const [ann, bob, anybody] = [open(visitorOf('ann')).output, open(visitorOf('bob')).output, open(nobody).output];
    const deaf = [...listeners];
    listeners.clear();
    await changes.ended({ subject: 'ann', generations: [0] });
    for (const listener of deaf) listeners.add(listener);
    expect(ann.state).toBe('open');
    hear(null);
    await expect.poll(() => ann.state).toBe('ended');
    expect([bob, anybody].map(({ state }) => state)).toEqual(['open', 'open']);
    expect(toldOf([ann, bob, anybody])).toBe(3);
  });

  it.each([1, 5])(
    'of whom it was taken back, in one search at a time, are looked for again where the store failed just then: %s times told',
    async (times) => {
      const { open, changes, listeners, hear, reads, clock } = scene();
      const [ann, bob] = [open(visitorOf('ann')).output, open(visitorOf('bob')).output];
      const deaf = [...listeners];
      listeners.clear();
      await changes.ended({ subject: 'ann', generations: [0] });
      for (const listener of deaf) listeners.add(listener);
      const failing = Promise.withResolvers<void>();
      reads.answer = () => failing.promise;
      for (let told = 0; told < times; told += 1) hear(null);
      clock.advance(3000);
      expect(reads.count).toBe(2);
      failing.reject(new Error('gone'));
      await nextTurn();
      expect([ann.state, reads.count]).toEqual(['open', 2]);
      reads.answer = async () => {};
      clock.advance(1000);
      await expect.poll(() => ann.state).toBe('ended');
      await nextTurn();
      clock.advance(5000);
      expect([bob.state, reads.count]).toEqual(['open', 4]);
    },
  );

  it('take no word from who cannot have said it', () => {
    const { open, hear } = scene();
    const { output } = open(visitorOf('ann'));
    for (const word of ['', 'c:', 'e:ann', 'x:'.padEnd(45, 'a'), 'c:'.padEnd(45, 'a'), 'c:'.padEnd(200, 'a')]) hear([word]);
    expect([output.text, output.state]).toEqual(['id: first\n\n', 'open']);
  });

  it('of a visitor are told in every living window of its tokens', () => {
    const { clock, open, changes } = scene();
    const first = open(visitorOf('ann')).output;
    clock.advance(visitorTokenWindowMs - 1000);
    const second = open(visitorOf('ann')).output;
    changes.changed({ subject: 'ann' });
    expect(toldOf([first, second])).toBe(2);
  });

  it('end with the service, and none is opened after', () => {
    const { streams, open, clock } = scene();
    const { output } = open(nobody);
    streams.close();
    expect([output.state, open(nobody).refused, clock.pendingTimers]).toEqual(['ended', 'full', 0]);
  });
});
