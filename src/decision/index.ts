/** The only door of the core: pure, isomorphic, integer-only; it imports nothing and runs wherever ECMAScript 2023 does. */
export { decide } from './decide.ts';
export { type Needs, needs } from './needs.ts';
