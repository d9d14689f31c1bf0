/** Values a condition may work with. Numbers are integers within ±(2^53 − 1): the core has no floats. */
export type Scalar = string | number | boolean;
export type Value = Scalar | readonly Value[];

/** Any JSON: what a variant renders. The core carries it and never looks inside. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Attributes by name. A `timestamp` is an integer of milliseconds since 1970-01-01T00:00:00Z, in facts and in stores alike; only the
 * wire writes RFC 3339.
 */
export type Attributes = { readonly [name: string]: Value };
