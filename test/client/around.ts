/** What a page has around the client, in a test: a storage, a network that does as it is told, and somebody who signs artefacts. */

import type { ClientStorage, FallbackPack, PublicKey } from '../../src/client/types.ts';
import type { DevicePolicy } from '../../src/device/device-artefact.ts';

export const startMs = Date.UTC(2026, 10, 21, 12);

export const pack: FallbackPack = {
  pages: { home: ['hero', 'rail'] },
  zones: {
    hero: { variant: 'hero-approved', content: { headline: 'Approved' }, render: 'now' },
    rail: { variant: 'rail-approved', content: { items: [] }, render: 'now' },
  },
};

/** One zone for request facts, one that a local signal selects in. */
export const policy: DevicePolicy = {
  format: 1,
  policy: 'shop',
  revision: 'r1',
  pages: { home: ['hero', 'rail'] },
  zones: {
    hero: {
      kind: 'content',
      criticality: 1,
      ladder: [
        { tier: 'segment', open: true, rules: [{ when: ['==', ['.', 'r', 'country', ['string']], 'DE'], variant: 'hero-dach' }] },
        { tier: 'anonymous', rules: [{ variant: 'hero-approved' }] },
      ],
    },
    rail: {
      kind: 'content',
      criticality: 0,
      ladder: [
        {
          tier: 'session',
          rules: [{ when: ['in', 'shoes', ['.', 'd', 'recent_categories', ['string'], true]], variant: 'rail-shoes', s1: true }],
        },
        { tier: 'anonymous', rules: [{ variant: 'rail-approved' }] },
      ],
    },
  },
  offers: {},
  variants: { 'hero-dach': { headline: 'Neue Saison' }, 'hero-approved': { headline: 'Approved' }, 'rail-shoes': {}, 'rail-approved': {} },
};

export interface KeptStorage extends ClientStorage {
  readonly items: Map<string, string>;
}

export function memoryStorage(): KeptStorage {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
  };
}

export interface Signer {
  readonly jwk: PublicKey;
  sign(policy: DevicePolicy, times?: Partial<Times>, header?: object): Promise<string>;
}

export interface Times {
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
}

export async function signer(kid = 'k1'): Promise<Signer> {
  const { publicKey, privateKey } = (await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])) as Record<
    'publicKey' | 'privateKey',
    CryptoKey
  >;
  const { x = '' } = await crypto.subtle.exportKey('jwk', publicKey);
  return {
    jwk: { kid, x },
    async sign(of, times = {}, header = {}) {
      const now = startMs / 1000;
      const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const protectedHeader = part({ alg: 'Ed25519', typ: 'stepwell-artefact+jws', kid, ...header });
      const signed = `${protectedHeader}.${part({ ...of, iat: now, nbf: now, exp: now + 86_400, ...times })}`;
      const signature = await crypto.subtle.sign('Ed25519', privateKey, Buffer.from(signed));
      return `${signed}.${Buffer.from(signature).toString('base64url')}`;
    },
  };
}

export interface Asked {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export type Respond = (asked: Asked) => Response | Promise<Response>;

/** A network by path; what nobody answers for is offline. */
export function network(routes: Record<string, Respond>): { readonly fetch: typeof fetch; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    fetch: async (address, init) => {
      const path = new URL(String(address)).pathname;
      const one = {
        path,
        method: init?.method ?? 'GET',
        headers: (init?.headers ?? {}) as Readonly<Record<string, string>>,
        body: JSON.parse(String(init?.body ?? '{}')),
      };
      asked.push(one);
      const respond = Object.entries(routes).find(([route]) => path.endsWith(route))?.[1];
      if (respond === undefined) throw new TypeError('fetch failed');
      return respond(one);
    },
  };
}

export function zone(id: string, variant: string, more: object = {}): object {
  const base = { offer: null, content: { says: variant }, render: 'now', downgrade: null };
  return { zone: id, tier: 'user', intendedTier: 'user', variant, ...base, ...more };
}

export function answer(...zones: readonly object[]): Response {
  return new Response(JSON.stringify({ zones }), { headers: { 'content-type': 'application/json' } });
}

/** Resolves when it is told to. */
export function held<T>(): { readonly promise: Promise<T>; release(value: T): void } {
  let release = (_value: T): void => {};
  const promise = new Promise<T>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}
