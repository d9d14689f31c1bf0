/** `stepwell/client` as the example's page takes it, with its first call of each kind timed. */
import { createStepwell as create } from '../../src/client/index.ts';
import type { Stepwell, StepwellOptions } from '../../src/client/types.ts';

export function createStepwell(options: StepwellOptions): Stepwell {
  const stepwell = create(options);
  return {
    ...stepwell,
    now(...asked) {
      const start = performance.now();
      const answer = stepwell.now(...asked);
      performance.measure('now', { start });
      return answer;
    },
    async decide(...asked) {
      const start = performance.now();
      const answer = await stepwell.decide(...asked);
      performance.measure('decide', { start });
      return answer;
    },
  };
}
