/** What the examples are built with is what the example policy has approved. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('has the fallbacks built in that the policy prints', () => {
  const printed = execFileSync(process.execPath, ['src/cli/stepwell.js', 'fallbacks', 'examples/retail.yaml', '--page', 'home'], {
    encoding: 'utf8',
  });
  const { zones, pages } = JSON.parse(printed);
  // The revision moves with every word of the policy, also of those that no fallback shows.
  expect(JSON.parse(readFileSync('examples/shop/fallbacks.json', 'utf8'))).toMatchObject({ zones, pages });
});
