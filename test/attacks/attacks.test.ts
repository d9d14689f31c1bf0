/** The table of attacks: what each tries, and what must hold. */
import { describe, expect, it } from 'vitest';
import { caches } from './caches.ts';
import { http } from './http.ts';
import { keySetsAndSources } from './key-sets.ts';
import { parsers } from './parsers.ts';
import { redis } from './redis.ts';
import { resources } from './resources.ts';
import { rules } from './rules.ts';
import { secrets } from './secrets.ts';
import { tokens } from './tokens.ts';
import { validation } from './validation.ts';

const areas = [tokens, keySetsAndSources, parsers, validation, rules, redis, http, caches, resources, secrets];

describe.each(areas)('attacks on $area', ({ attacks }) => {
  it.each(attacks)('$name: $holds', ({ try: attempt }) => attempt());
});

it('the table has its 64 rows, each with a name of its own', () => {
  const names = areas.flatMap(({ attacks }) => attacks.map(({ name }) => name));
  expect([names.length, new Set(names).size]).toEqual([64, 64]);
});
