/** Attempts to use up what all callers share: connections, streams, memory, the store, the series of metrics. */
import { expect, onTestFinished } from 'vitest';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type Area, jsonType, request, scene, triedIn } from './attack.ts';

export const resources: Area = {
  area: 'resources',
  attacks: [
    {
      name: 'callers who are slow at everything',
      holds: 'each is let go of on time, and nobody else notices',
      try: () => triedIn('test/http/slow-clients.test.ts', 'writes its headers slowly', 'writes its body slowly', 'never reads an answer'),
    },
    {
      name: 'hundreds of streams at once, and many requests on one connection',
      holds: 'a stream ends with its last zone, and one connection is served one request at a time',
      async try() {
        const at = await scene();
        const streams = await Promise.all(
          Array.from({ length: 200 }, () =>
            at.wire(
              request(
                'POST /v1/decide',
                ['Content-Type: application/json', 'Accept: application/x-ndjson', 'Connection: close'],
                '{"page":"home"}',
              ),
            ),
          ),
        );
        // On a busy machine some may be turned away before any work: that is an answer too.
        expect(streams.filter(({ hung, answers: [answer] }) => hung || (answer?.status !== 200 && answer?.status !== 503))).toEqual([]);
        expect(streams.some(({ answers: [answer] }) => answer?.status === 200)).toBe(true);
        await triedIn('test/http/limits-pipelined.test.ts', 'the next is begun when the one before it is answered');
      },
    },
    {
      name: 'a flood of events',
      holds: 'nothing here takes events, and what came is not read',
      async try() {
        const at = await scene();
        for (const url of ['/v1/events', '/v1/track', '/v1/collect', '/events']) {
          const answer = await at.app.inject({ method: 'POST', url, headers: jsonType, payload: `[${'{"event":"x"},'.repeat(2000)}1]` });
          expect(answer.statusCode, url).toBe(404);
        }
      },
    },
    {
      name: 'a flood of people, devices and sessions whom nobody has seen',
      holds: 'asking about somebody writes nothing down',
      async try() {
        let writes = 0;
        const at = await scene();
        const watched = await scene({
          store: new Proxy(at.store, {
            get: (store, name) => {
              const member = Reflect.get(store, name) as unknown;
              const isWrite = typeof name === 'string' && /^(?:put|patch|delete|write|raise|revoke|erase|lift|withdraw)/.test(name);
              return isWrite && typeof member === 'function'
                ? (...given: unknown[]) => {
                    writes += 1;
                    return Reflect.apply(member, store, given);
                  }
                : member;
            },
          }),
        });
        writes = 0;
        for (let index = 0; index < 500; index += 1) {
          const identity = { deviceId: `d-${index}`, sessionId: `s1.${index}.x`, token: `x.${index}.y` };
          expect((await watched.decide({ identity, context: { country: `C${index}` } })).status).toBe(200);
        }
        expect(writes).toBe(0);
        // The scene is not blind: a write is seen.
        await watched.send('PUT', '/v1/profiles/ada', {});
        expect(writes).toBe(1);
        // What is held in memory of what was asked has bounds of its own.
        await triedIn('test/stores/near-cache.test.ts', 'is never passed, and what was used longest ago goes first');
        await triedIn('test/identity/token.test.ts', 'cache');
      },
    },
    {
      name: 'a flood of words that could become series of metrics',
      holds: 'labels come from the policy and from closed lists',
      async try() {
        const telemetry = await startTelemetry({ clock: new VirtualClock(), env: {} });
        onTestFinished(() => telemetry.shutdown());
        const at = await scene({ telemetry });
        const series = async () => new Set((await telemetry.metricsText()).split('\n').map((line) => line.replace(/ [^ ]*$/, ''))).size;
        const flood = async (from: number) => {
          for (let index = from; index < from + 200; index += 1) {
            const word = `w${index}`;
            await at.send('POST', '/v1/decide', { page: word });
            await at.send('POST', '/v1/decide', { zones: [word] });
            await at.decide(
              { context: { country: word }, identity: { deviceId: word, token: word } },
              { traceparent: word, 'user-agent': word },
            );
            await at.send('GET', `/v1/${word}?${word}=1`);
            await at.send('GET', `/v1/decide?page=home&country=${word}`);
          }
        };
        await flood(0);
        const before = await series();
        expect(before).toBeGreaterThan(10);
        await flood(200);
        expect(await series()).toBe(before);
        expect(await telemetry.metricsText()).not.toMatch(/w\d{1,3}["}]/);
      },
    },
  ],
};
