/** What is kept back of a deadline. */
import { describe, expect, it } from 'vitest';
import { createOwnMargin } from '../../src/http/own-margin.ts';

describe('the margin that is kept back of a deadline', () => {
  it('is two milliseconds while the event loop is quick', () => {
    const margin = createOwnMargin();
    expect(margin.of(60, 0)).toBe(2);
    margin.turnEnded(0, 0.4);
    expect(margin.of(60, 0)).toBe(2);
    expect(margin.of(5, 0)).toBe(2);
  });

  it('is as long as the longest turn of the last second or two', () => {
    const margin = createOwnMargin();
    margin.turnEnded(0, 12);
    for (let atMs = 1; atMs < 1_900; atMs += 10) margin.turnEnded(atMs, 1);
    expect(margin.of(60, 1_900)).toBe(12);
    for (let atMs = 1_900; atMs < 3_200; atMs += 10) margin.turnEnded(atMs, 1);
    expect(margin.of(60, 3_200)).toBe(2);
  });

  it('is forgotten by a loop that has rested, before another turn ends', () => {
    const margin = createOwnMargin();
    margin.turnEnded(0, 12);
    expect(margin.of(60, 1_999)).toBe(12);
    expect(margin.of(60, 2_000)).toBe(2);
    margin.turnEnded(5_000, 1);
    expect(margin.of(60, 5_000)).toBe(2);
  });

  it('leaves two thirds of a budget, however long a turn was', () => {
    const margin = createOwnMargin();
    margin.turnEnded(0, 500);
    expect(margin.of(60, 0)).toBe(20);
    expect(margin.of(15, 0)).toBe(5);
  });
});
