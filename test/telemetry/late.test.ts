/** Telemetry that is loaded when the service already decides: it shows what one would show that was there from the beginning. */
import { expect, onTestFinished, test } from 'vitest';
import { createLateTelemetry, openTelemetry } from '../../src/telemetry/late.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { type DecisionClosing, noTelemetry, type ServiceState, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const clock = new VirtualClock();
const options = { clock, env: {} };
const parts = { clock };

const closing: DecisionClosing = {
  zones: [],
  scope: 'none',
  revision: 'b3f1',
  page: 'home',
  endMs: 12,
  durationMs: 12,
  overshootMs: 1,
  facts: { profile: 'late' },
};

function use(telemetry: Telemetry): void {
  const decision = telemetry.startDecision({}, { startMs: 0, route: 'post_decide' });
  decision.stage('gather', 0, 1);
  decision.end(closing);
  telemetry.startDecision({}, { startMs: 0, route: 'get_decide' }).abandon(1, 500);
  telemetry.metrics.requestShed();
  telemetry.metrics.dependencyAnswered('profile', 3, 'known');
}

async function shown(telemetry: Telemetry): Promise<string> {
  onTestFinished(() => telemetry.shutdown());
  // When each was made is in the text of some.
  return (await telemetry.metricsText()).replaceAll(/^target_info.*$/gm, '');
}

test('what was told before it is loaded is counted with what came after', async () => {
  const prompt = await startTelemetry(options);
  const late = await openTelemetry(options);
  for (const telemetry of [prompt, late]) use(telemetry);
  await late.load();
  for (const telemetry of [prompt, late]) use(telemetry);
  const text = await shown(late);
  expect(text).toBe(await shown(prompt));
  expect(text).toMatch(/shed\S* 2\b/);
});

test('metrics that are read before it is loaded wait for it', async () => {
  const late = await openTelemetry(options);
  use(late);
  expect(await shown(late)).toMatch(/shed\S* 1\b/);
});

test('it is loaded once, whoever asks', async () => {
  let starts = 0;
  const late = createLateTelemetry(async () => {
    starts += 1;
    return noTelemetry;
  }, parts);
  await Promise.all([late.load(), late.metricsText(), late.load()]);
  expect(starts).toBe(1);
});

test('what is shut down before anybody loads it is never loaded', async () => {
  const late = createLateTelemetry(async () => Promise.reject(new Error('loaded')), parts);
  await late.shutdown();
});

/** Telemetry that notes what it is told, and for which each call takes a millisecond. */
function slowTelemetry(onCall: (call: string) => void = () => {}) {
  const calls: string[] = [];
  const replyAbandoned = (from: string): void => {
    clock.advance(1);
    calls.push(from);
    onCall(from);
  };
  const telemetry: Telemetry = {
    ...noTelemetry,
    metrics: { ...noTelemetry.metrics, replyAbandoned },
    showService: (read) => void calls.push(`service ${read().approvalsExpired}`),
    metricsText: async () => calls.join(),
  };
  return { telemetry, calls };
}

const tellOf = (late: Telemetry, name: string): void => late.metrics.replyAbandoned(name as 'store', 'answered');
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `${index}`);

test('what was told before it is loaded is counted in order and with pauses, and what is told meanwhile after it', async () => {
  const { telemetry, calls } = slowTelemetry();
  const late = createLateTelemetry(async () => telemetry, parts);
  for (const name of names(20)) tellOf(late, name);
  let isLoaded = false;
  const loading = late.load().then(() => {
    isLoaded = true;
  });
  const countedByTurn: number[] = [];
  let told = 20;
  for (let counted = 0; !isLoaded; counted = calls.length) {
    await new Promise((resolve) => setImmediate(resolve));
    countedByTurn.push(calls.length - counted);
    if (!isLoaded && told < 60) for (let more = 0; more < 2; more += 1) tellOf(late, `${told++}`);
  }
  await loading;
  tellOf(late, `${told++}`);
  expect(told).toBeGreaterThan(22);
  expect(calls).toEqual(names(told));
  expect(Math.max(...countedByTurn)).toBeLessThan(10);
});

test('how the service stands is shown however much else was told before', async () => {
  const { telemetry, calls } = slowTelemetry();
  const late = createLateTelemetry(async () => ({ ...telemetry, metrics: noTelemetry.metrics }), parts);
  for (let count = 0; count < 100_000; count += 1) late.metrics.requestShed();
  for (const approvalsExpired of [1, 2]) late.showService(() => ({ approvalsExpired }) as ServiceState);
  await late.load();
  expect(calls).toEqual(['service 2']);
});

test('one thing that cannot be counted is told once, and keeps nothing else from being counted', async () => {
  const warnings: string[] = [];
  const { telemetry, calls } = slowTelemetry((call) => {
    if (call === '1' || call === '2') throw new Error('planted');
  });
  const late = createLateTelemetry(async () => telemetry, { clock, warn: (message) => void warnings.push(message) });
  for (const name of names(4)) tellOf(late, name);
  expect(await late.metricsText()).toBe('0,1,2,3');
  expect(warnings).toEqual([expect.stringContaining('planted')]);
  tellOf(late, '4');
  expect(calls).toEqual(names(5));
});

test('where it cannot be started that is told once, nothing rejects and nothing is kept, and the next who reads metrics tries again', async () => {
  const warnings: string[] = [];
  const { telemetry } = slowTelemetry();
  let failures = 2;
  const late = createLateTelemetry(
    async () => {
      if (failures-- > 0) throw new Error('planted');
      return telemetry;
    },
    { clock, warn: (message) => void warnings.push(message) },
  );
  late.showService(() => ({ approvalsExpired: 7 }) as ServiceState);
  tellOf(late, 'lost');
  await late.load();
  tellOf(late, 'lost');
  await late.shutdown();
  expect(await late.metricsText()).toBe('');
  expect(warnings).toEqual([expect.stringContaining('planted')]);
  tellOf(late, 'lost');
  expect(await late.metricsText()).toBe('service 7');
  tellOf(late, 'counted');
  expect(await late.metricsText()).toBe('service 7,counted');
});

test.each([
  ['something is exported', { OTEL_TRACES_EXPORTER: 'console' }, false],
  ['nothing is exported', { OTEL_TRACES_EXPORTER: 'none' }, true],
])('where %s it is loaded at once or later: %j', async (_, env, isLate) => {
  const telemetry = await openTelemetry({ clock, env });
  onTestFinished(() => telemetry.shutdown());
  const decision = telemetry.startDecision({}, { startMs: 0, route: 'post_decide' });
  decision.abandon(1, 500);
  expect(decision.traceparent === null).toBe(isLate);
});

test('where telemetry is disabled nothing is ever loaded', async () => {
  const telemetry = await openTelemetry({ clock, env: { OTEL_SDK_DISABLED: 'true' } });
  use(telemetry);
  expect(await telemetry.metricsText()).toBe('');
});
