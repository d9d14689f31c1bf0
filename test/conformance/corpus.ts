/** The corpus as it lies on the disk, and what of an answer it speaks of. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Decision, ZoneDecision } from '../../src/decision/decision.ts';
import type { ConformanceCase } from './assemble.ts';

const here = new URL('.', import.meta.url);
const files = readdirSync(new URL('cases/', here)).filter((name) => name.endsWith('.json'));

export const corpus = files.flatMap((name) => JSON.parse(readFileSync(new URL(`cases/${name}`, here), 'utf8')) as ConformanceCase[]);

export function policyText({ policy }: ConformanceCase): string {
  return readFileSync(new URL(`policies/${policy}.json`, here), 'utf8');
}

/** A GET has no identity and no consent, and what a key or a tag holds is not fixed. */
export function shown({ identity, consent, zones }: Decision, given: ConformanceCase): unknown {
  return given.request.method === 'GET' ? { zones: comparable(zones) } : { identity, consent, zones: comparable(zones) };
}

export function comparable(zones: readonly ZoneDecision[]): unknown {
  return zones.map(({ explain: _explain, ...zone }) => ({
    ...zone,
    cache: { ...zone.cache, key: zone.cache.key === null ? null : 'filled', tags: zone.cache.tags.length > 0 ? ['filled'] : [] },
  }));
}
