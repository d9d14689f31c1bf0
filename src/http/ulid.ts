/** A ULID: 48 bits of time, then 80 random bits, in Crockford's base 32. It sorts by time and says nothing else. */
import { randomFillSync } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const timeDigits = 10;
const randomDigits = 16;

/** Drawn for many ids at once: one call to the kernel's generator costs more than an id. */
const pool = new Uint8Array(randomDigits * 256);
let used = pool.length;
/** The digits of the time change once a millisecond; the ids of one millisecond share them. */
let timeText = '';
let timeTextMs = -1;

export function ulid(nowMs: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  if (nowMs !== timeTextMs) {
    timeText = textOf(nowMs);
    timeTextMs = nowMs;
  }
  let id = timeText;
  for (const end = used + randomDigits; used < end; used++) id += alphabet[(pool[used] ?? 0) & 31];
  return id;
}

function textOf(nowMs: number): string {
  let text = '';
  for (let rest = Math.trunc(nowMs), digit = 0; digit < timeDigits; digit++, rest = Math.floor(rest / 32))
    text = alphabet[rest % 32] + text;
  return text;
}
