/** Who counts as silent, who as gone, and who does not. */
import { expect, it } from 'vitest';
import { listenTo } from '../../src/start/heartbeat.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function listening() {
  const clock = new VirtualClock();
  const said: string[] = [];
  let asked = 0;
  const heartbeat = listenTo({
    clock,
    ask: () => {
      asked += 1;
    },
    fellSilent: () => said.push('silent'),
    answersAgain: () => said.push('again'),
    isGone: () => said.push('gone'),
  });
  return { clock, said, heartbeat, asked: () => asked };
}

it('asks every second, and says nothing of one that answers', () => {
  const { clock, said, heartbeat, asked } = listening();
  for (let second = 1; second <= 60; second += 1) {
    expect(asked()).toBe(second);
    heartbeat.heard();
    clock.advance(1000);
  }
  expect(said).toEqual([]);
});

it('finds one silent after 3 seconds and gone after 10, once each', () => {
  const { clock, said, asked } = listening();
  clock.advance(2999);
  expect(said).toEqual([]);
  clock.advance(1);
  expect(said).toEqual(['silent']);
  clock.advance(6999);
  expect(said).toEqual(['silent']);
  clock.advance(1);
  expect(said).toEqual(['silent', 'gone']);
  clock.advance(60_000);
  expect(said).toEqual(['silent', 'gone']);
  expect(asked()).toBe(10);
});

it('takes one back that answers late, and counts anew', () => {
  const { clock, said, heartbeat } = listening();
  clock.advance(9999);
  heartbeat.heard();
  expect(said).toEqual(['silent', 'again']);
  heartbeat.heard();
  clock.advance(3000);
  expect(said).toEqual(['silent', 'again']);
  clock.advance(1000);
  expect(said).toEqual(['silent', 'again', 'silent']);
});

it('does not take its own absence for the silence of another', () => {
  const timers: (() => void)[] = [];
  const said: string[] = [];
  // A stopped process fires one overdue timer when it goes on, however long it was away.
  const clock = {
    after(_ms: number, callback: () => void) {
      timers.push(callback);
      return () => {};
    },
  };
  const say = (word: string) => () => void said.push(word);
  const heartbeat = listenTo({ clock, ask() {}, fellSilent: say('silent'), answersAgain: say('again'), isGone: say('gone') });
  timers.shift()?.();
  heartbeat.heard();
  expect(said).toEqual([]);
});

it('asks nobody any more once it is disposed of', () => {
  const { clock, said, heartbeat, asked } = listening();
  heartbeat.dispose();
  clock.advance(60_000);
  expect([said, asked()]).toEqual([[], 1]);
});
