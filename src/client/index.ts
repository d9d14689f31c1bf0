/** `stepwell/client`: decisions in a page, a worker or an edge renderer, also where the service does not answer. */
export { createStepwell } from './stepwell.ts';
export type * from './types.ts';
