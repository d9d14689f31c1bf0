/** How the tests are run: everything side by side, then the suites that drive a browser, one at a time. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './tally-reporter.ts';

const browserSuites = 'test/**/*browser*.test.ts';
const secondMs = 1000;
/**
 * Only what hangs may end here: a machine that is busy with everything else is slow, not wrong. A long run has no use for it, and takes as
 * long as its cases take.
 */
const hangsAfterMs = 300 * secondMs;
const isLong = process.env.STEPWELL_TEST_LONG === '1';

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    reporters: ['default', new TallyReporter()],
    // Suites start servers and native stores: a process each keeps one suite's handles out of another's.
    pool: 'forks',
    testTimeout: isLong ? 0 : hangsAfterMs,
    hookTimeout: hangsAfterMs,
    teardownTimeout: 10 * secondMs,
    expect: { poll: { timeout: 60 * secondMs } },
    projects: [
      {
        extends: true,
        test: {
          name: 'suites',
          include: ['test/**/*.test.ts'],
          exclude: [browserSuites],
          maxWorkers: Math.max(2, availableParallelism()),
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'browser', include: [browserSuites], maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
