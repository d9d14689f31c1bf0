/**
 * Dates and durations as people write them, to integer milliseconds. Strict: a day that no calendar has, or a part finer than
 * a millisecond, is refused rather than rounded, because a window or an approval must mean what it says.
 */
const pattern = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2}))?$/;

/** RFC 3339, or a date alone, which is midnight UTC. Null when it is neither. */
export function parseInstantMs(text: string): number | null {
  const match = pattern.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const fractionMs = wholeMs(fraction);
  const zoneMs = zoneOffsetMs(zone);
  if (fractionMs === null || zoneMs === null || Number(year) === 0) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return null;
  return date.getTime() + ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + fractionMs - zoneMs;
}

/** The time of day is required, as CEL's `timestamp()` asks. */
export function parseTimestampMs(text: string): number | null {
  return text.length > 10 ? parseInstantMs(text) : null;
}

/** For data from outside: clocks of many languages write microseconds, and what is finer than a millisecond is cut off. */
export function parseRecordedMs(text: string): number | null {
  return parseTimestampMs(text.replace(/(\.\d{3})\d{1,6}(?=[Zz+-])/, '$1'));
}

function wholeMs(fraction: string): number | null {
  const digits = fraction.padEnd(9, '0');
  return digits.slice(3) === '000000' ? Number(digits.slice(0, 3)) : null;
}

function zoneOffsetMs(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const nanosecondsOf: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  µs: 1_000n,
  ns: 1n,
};

/** `1h30m`, `-90s`, `1.5s`, `250ms`. Null when it is not such a duration, or not whole milliseconds, or beyond ±10,000 years. */
export function parseDurationMs(text: string): number | null {
  if (text.length > 64) return null;
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return 0;
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ms|us|µs|ns|h|m|s))+$/.test(unsigned)) return null;
  let nanoseconds = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of unsigned.matchAll(/(\d*)(?:\.(\d*))?(ms|us|µs|ns|h|m|s)/g)) {
    const scaled = BigInt(`${whole}${fraction}` || '0') * (nanosecondsOf[unit] ?? 0n);
    const divisor = 10n ** BigInt(fraction.length);
    if (scaled % divisor !== 0n) return null;
    nanoseconds += scaled / divisor;
  }
  if (nanoseconds % 1_000_000n !== 0n || nanoseconds > 315_576_000_000_000_000_000n) return null;
  const milliseconds = Number(nanoseconds / 1_000_000n);
  return text.startsWith('-') && milliseconds !== 0 ? -milliseconds : milliseconds;
}
