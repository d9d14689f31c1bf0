/** Which of a cluster's 16,384 slots a key belongs to: CRC16 (XMODEM) of the key, or of what stands between its first braces. */
export const slotCount = 16_384;

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/** Of our own keys, which are ASCII. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const isTagged = close > open + 1;
  const end = isTagged ? close : key.length;
  let crc = 0;
  for (let at = isTagged ? open + 1 : 0; at < end; at += 1) {
    crc = ((crc << 8) & 0xffff) ^ (table[(crc >> 8) ^ (key.charCodeAt(at) & 0xff)] ?? 0);
  }
  return crc % slotCount;
}
