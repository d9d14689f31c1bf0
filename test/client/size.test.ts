/** What a page pays for the client. A kilobyte has 1000 bytes. */
import { describe, expect, test } from 'vitest';
import { bundled, gzipBytes } from '../../src/client/build.ts';

const kilobyte = 1000;
const limits = [
  { what: 'the core that decides on a device', entry: 'device/decide-on-device.ts', bytesMax: 2 * kilobyte },
  { what: 'the whole client', entry: 'client/index.ts', bytesMax: 5 * kilobyte },
];

describe('compressed with gzip', () => {
  test.each(limits)('$what takes at most $bytesMax bytes, and imports nothing', async ({ what, entry, bytesMax }) => {
    const code = await bundled(entry);
    console.log(`${what}: ${gzipBytes(code)} bytes gzip, ${code.length} minified`);
    expect(gzipBytes(code)).toBeLessThanOrEqual(bytesMax);
    expect(code).not.toMatch(/\bimport\b|\brequire\(|\beval\(|new Function/);
  });

  test('what is too large is seen', async () => {
    expect(gzipBytes(await bundled('decision/decide.ts'))).toBeGreaterThan(5 * kilobyte);
  });
});
