/** The table of attacks: what each tries, and what must hold. */
import { describe, it } from 'vitest';
import { caches } from './caches.ts';
import { http } from './http.ts';
import { parsers } from './parsers.ts';
import { redis } from './redis.ts';
import { resources } from './resources.ts';
import { rules } from './rules.ts';
import { secrets } from './secrets.ts';
import { tokens } from './tokens.ts';
import { validation } from './validation.ts';

const areas = [tokens, parsers, validation, rules, redis, http, caches, resources, secrets];

describe.each(areas)('attacks on $area', ({ attacks }) => {
  it.each(attacks)('$name: $holds', ({ try: attempt }) => attempt());
});
