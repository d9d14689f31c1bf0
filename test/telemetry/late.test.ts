/** Telemetry that is loaded when the service already decides: it shows what one would show that was there from the beginning. */
import { expect, onTestFinished, test } from 'vitest';
import { createLateTelemetry, openTelemetry } from '../../src/telemetry/late.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { type DecisionClosing, noTelemetry, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const clock = new VirtualClock();
const options = { clock, env: {} };

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
  });
  await Promise.all([late.load(), late.metricsText(), late.load()]);
  expect(starts).toBe(1);
});

test('what is shut down before anybody loads it is never loaded', async () => {
  const late = createLateTelemetry(async () => Promise.reject(new Error('loaded')));
  await late.shutdown();
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
