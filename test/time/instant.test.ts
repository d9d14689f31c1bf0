import { describe, expect, test } from 'vitest';
import { parseDurationMs, parseInstantMs } from '../../src/time/instant.ts';

describe('dates', () => {
  test.each([
    ['2026-11-01', Date.UTC(2026, 10, 1)],
    ['2026-11-01T08:30:00Z', Date.UTC(2026, 10, 1, 8, 30)],
    ['2026-11-01T08:30:00.25+05:30', Date.UTC(2026, 10, 1, 3, 0, 0, 250)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
    ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
  ])('%s is an instant', (text, milliseconds) => expect(parseInstantMs(text)).toBe(milliseconds));

  test.each([
    '2026-02-29',
    '2026-13-01',
    '2026-11-31',
    '2026-11-01T24:00:00Z',
    '2026-11-01T08:30Z',
    '2026-11-01T08:30:00',
    '01.11.2026',
    '',
    '2026-11-01T00:00:00.0001Z',
    '0000-01-01',
  ])('%j is none', (text) => expect(parseInstantMs(text)).toBeNull());
});

describe('durations', () => {
  test.each([
    ['1h30m', 5_400_000],
    ['-90s', -90_000],
    ['1.5s', 1_500],
    ['250ms', 250],
    ['0', 0],
    ['1000us', 1],
    ['.5h', 1_800_000],
  ])('%s lasts so many milliseconds', (text, milliseconds) => expect(parseDurationMs(text)).toBe(milliseconds));

  test.each(['3d', '1', 'h', '', '1 h', '1ns', '1.0001s', '--1s', '1e3s', '99999999999h'])('%j is none', (text) =>
    expect(parseDurationMs(text)).toBeNull(),
  );
});
