/** Properties are tried on few cases, always the same: what is asked thousands of times must be quick, and must not find by luck. */
import fc from 'fast-check';

fc.configureGlobal({ numRuns: 25, seed: Number(process.env.FC_SEED) });
