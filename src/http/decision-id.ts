/** A ULID: 48 bits of time, 80 random bits, in Crockford's base 32. Sorts by time and says nothing else. */
import { randomFillSync } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Random bytes are drawn for many ids at once: one call to the kernel's generator costs more than an id. */
const pool = new Uint8Array(16 * 256);
let used = pool.length;

export function decisionId(nowMs: number): string {
  if (used + 16 > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let id = '';
  for (let rest = nowMs, digit = 0; digit < 10; digit++, rest = Math.floor(rest / 32)) id = alphabet[rest % 32] + id;
  for (let digit = 0; digit < 16; digit++) id += alphabet[(pool[used++] ?? 0) & 31];
  return id;
}
