/** What stands behind the caches: one real service with keys, on a real Redis that can be slow or gone, and people whose answers name them. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Person } from '../../bench/faults/people.ts';
import type { FaultService } from '../../bench/faults/processes.ts';
import { type FaultProxy, healthy } from '../../bench/faults/proxy.ts';
import { createWorld } from '../../bench/faults/world.ts';
import { cachedPolicyText } from './policy.ts';

/** Who calls. None of them says anything of the visitor. */
export const keys = {
  edge: { scopes: ['decide'] },
  desk: { scopes: ['profiles'] },
  slow: { scopes: ['decide'], requestsPerSecond: 1 },
} as const;
export type KeyName = keyof typeof keys;
export const keyOf = (name: KeyName): string => `key-of-the-${name}-which-is-not-secret-here`;

/** Whose pages may call from a browser. */
export const pageOrigins = ['https://www.shop.example', 'https://m.shop.example'] as const;

export type StoreState = 'healthy' | 'slow' | 'gone';

export interface CacheWorld {
  readonly service: FaultService;
  readonly people: readonly Person[];
  store(state: StoreState): Promise<void>;
  end(): Promise<void>;
}

/** Beyond every deadline of the policy. */
const slowMs = 600;

export async function createCacheWorld(): Promise<CacheWorld> {
  const world = await createWorld();
  const keyFile = join(world.directory, 'keys.json');
  const list = Object.entries(keys).map(([id, key]) => {
    const sha256 = createHash('sha256')
      .update(keyOf(id as KeyName))
      .digest('hex');
    return { id, sha256, ...key };
  });
  writeFileSync(keyFile, JSON.stringify(list));
  writeFileSync(world.policyPath, cachedPolicyText());
  const env = {
    STEPWELL_API_KEYS: keyFile,
    STEPWELL_PUBLIC_GET: '1',
    STEPWELL_CORS_ORIGINS: pageOrigins.join(','),
  };
  const service = await world.startService({ env });
  await service.connected();
  return {
    service,
    people: world.people,
    store: (state) => behave(world.proxy, state),
    async end() {
      await service.end();
      await world.end();
    },
  };
}

async function behave(proxy: FaultProxy, state: StoreState): Promise<void> {
  switch (state) {
    case 'healthy':
      return proxy.behave(healthy);
    case 'slow':
      return proxy.behave({ toClient: { delay: { kind: 'fixed', ms: slowMs } } });
    case 'gone':
      return proxy.behave({ refused: true });
  }
}
