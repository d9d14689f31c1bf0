/** Under vitest as it plants and runs mutants: one suite, which `run.ts` names, so that what it imports is loaded once for each of them. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: { environment: 'node', include: [`test/mutants/${process.env.STEPWELL_MUTANTS_SUITE}.suite.ts`], testTimeout: 300_000 },
});
