/**
 * One service whose policy has offers and rules of class S2 and S3, and one whose author never heard of them, for visitors who are not
 * eligible: the same answers, log lines, spans and metrics, to the byte, and the same questions to the store.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import type { Store } from '../../src/records/store.ts';
import type { Telemetry } from '../../src/telemetry/telemetry.ts';
import { openPatiently } from '../stores/redis-opening.ts';
import { startRedis } from '../support/redis-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type Asked, canaries, type Kept, type ObservedWithAsks, observe, shortOfS2, shortOfS3, steppedUp } from './pharmacy.ts';

interface Opened {
  readonly store: Store;
  /** How often each command was called while the service answered, where commands are counted. */
  commands(): Promise<readonly string[]>;
}

const openers: Readonly<Record<'embedded' | 'redis', () => Promise<Opened>>> = {
  async embedded() {
    const directory = mkdtempSync(join(tmpdir(), 'stepwell-sensitive-'));
    const store = openEmbeddedStore({ directory, clock: new VirtualClock(), repeat: () => () => {} });
    onTestFinished(async () => {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    });
    return { store, commands: async () => [] };
  },
  async redis() {
    const redis = await startRedis();
    const store = await openPatiently(redis.url);
    const observer = new Redis(redis.url);
    onTestFinished(async () => {
      observer.disconnect();
      await store.close();
      await redis.stop();
    });
    // Each connection looks up the names once, when it is there: from here on, what is counted is asked for by requests.
    await store.putProfile('somebody', { attributes: {}, audiences: [] }, 60);
    await store.deleteProfile('somebody');
    await store.getProfile('somebody');
    await observer.config('RESETSTAT');
    return {
      store,
      async commands() {
        const stats = await observer.info('commandstats');
        return (
          [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
            .map(([, name, calls]) => `${name} ${calls}`)
            // What keeps connections alive goes by the clock, not by requests.
            .filter((line) => !/^(ping|info|hello|client|config|command|echo)/.test(line))
            .sort()
        );
      },
    };
  },
};

type Seen = ObservedWithAsks & { readonly commands: readonly string[] };

async function seen(
  kind: keyof typeof openers,
  kept: Kept,
  asked: readonly Asked[],
  around?: (telemetry: Telemetry) => Telemetry,
): Promise<Seen> {
  const { store, commands } = await openers[kind]();
  const observed = await observe({ store, kept, asked, ...(around && { around }) });
  return { ...observed, commands: await commands() };
}

describe.each(['embedded', 'redis'] as const)('with the %s store, what is too sensitive leaves no trace', (kind) => {
  it('for anybody who falls short of what S2 asks for', async () => {
    const asked = await shortOfS2();
    const without = await seen(kind, 'ordinary', asked);
    expect(without.answers).toHaveLength(181);
    expect(without.logLines.length + without.spans.length).toBeGreaterThan(500);
    expect(without.metrics.length).toBeGreaterThan(10);
    // Somebody is served by each rung, so there was something to compete with.
    for (const tier of ['user', 'session', 'segment', 'anonymous'])
      expect(
        without.answers.some((answer) => answer.includes(`"tier":"${tier}"`)),
        tier,
      ).toBe(true);
    expect(without.asks.length).toBeGreaterThan(50);
    expect(await seen(kind, 'and all', asked)).toEqual(without);
  });

  it('for anybody who is proved, and has not granted the category', async () => {
    const asked = await shortOfS3();
    const without = await seen(kind, 'and elevated', asked);
    expect(without.answers.some((answer) => answer.includes(canaries.elevatedOffer))).toBe(true);
    expect(await seen(kind, 'and all', asked)).toEqual(without);
  });

  it('is seen where somebody is eligible, so that the comparison would see it', async () => {
    const asked = [await steppedUp('ada')];
    const [ordinary, elevated, all] = [
      await seen(kind, 'ordinary', asked),
      await seen(kind, 'and elevated', asked),
      await seen(kind, 'and all', asked),
    ];
    expect(ordinary.answers[0]).toContain('"variant":"gold"');
    expect(elevated.answers[0]).toContain(canaries.elevatedOffer);
    expect(all.answers[0]).toContain(canaries.specialOffer);
    // Even then, nobody but the person is told: what is asked, counted and logged is the same.
    const { answers: _, ...told } = ordinary;
    for (const { answers: __, ...more } of [elevated, all]) expect(more).toEqual(told);
  });
});

describe('the comparison would see', () => {
  it('a core that tells which class was not met, as it does where an explanation is asked for', async () => {
    const explained = (await shortOfS2())
      .filter(({ name }) => name === 'ada: a sign-in of long ago, all granted')
      .map((one) => ({ ...one, payload: { ...one.payload, explain: true } }));
    const [without, all] = [await seen('embedded', 'ordinary', explained), await seen('embedded', 'and all', explained)];
    expect(all.answers[0]).toContain('step_up_required');
    expect(all.answers).not.toEqual(without.answers);
  });

  it('metrics and spans with the id of an offer', async () => {
    const leaky = (telemetry: Telemetry): Telemetry => ({
      ...telemetry,
      startDecision: (carrier, opening) => {
        const trace = telemetry.startDecision(carrier, opening);
        return {
          ...trace,
          end: (closing) =>
            trace.end({
              ...closing,
              zones: closing.zones.map((zone) => ({ ...zone, zone: `${zone.zone} ${zone.offer ?? zone.variant}` })),
            }),
        };
      },
    });
    const asked = [await steppedUp('ada')];
    const { answers: _, ...told } = await seen('embedded', 'and all', asked, leaky);
    expect(JSON.stringify(told.metrics)).toContain(canaries.specialOffer);
    expect(JSON.stringify(told.spans)).toContain(canaries.specialOffer);
  });
});
