/** What telemetry shows of a decision, read back from the SDK itself. */
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import { afterEach, describe, expect, test } from 'vitest';
import type { ZoneDecision } from '../../src/decision/decision.ts';
import { sampledByCallerPerSecondMax } from '../../src/telemetry/sampler.ts';
import { startTelemetry, type TelemetryOptions } from '../../src/telemetry/start.ts';
import type { DecisionClosing, ServiceState, Telemetry } from '../../src/telemetry/telemetry.ts';
import type { Clock } from '../../src/time/clock.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const callerTrace = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const sampled = { traceparent: `00-${callerTrace}-bbbbbbbbbbbbbbbb-01` };
const unsampled = { traceparent: `00-${callerTrace}-bbbbbbbbbbbbbbbb-00` };
const opening = { startMs: 5000, route: 'post_decide' } as const;

const canary = 'canary-7f3a';

/** A decision whose content is a canary: content is the business's text and may carry anything. */
const downgraded: ZoneDecision = {
  zone: 'hero',
  tier: 'segment',
  intendedTier: 'user',
  variant: canary,
  offer: canary,
  content: { headline: canary },
  render: 'now',
  downgrade: {
    from: 'user',
    to: 'segment',
    reason: 'profile_timeout',
    cause: 'time',
    dependency: 'profile',
    steps: [
      { tier: 'user', reason: 'profile_timeout' },
      { tier: 'session', reason: 'session_absent' },
    ],
  },
  cache: { scope: 'none', maxAgeSeconds: 0, key: canary, tags: [canary], degraded: true },
  holdout: null,
  propensityPpm: null,
};

const intended: ZoneDecision = { ...downgraded, zone: 'footer', tier: 'anonymous', intendedTier: 'anonymous', downgrade: null };

const closing: DecisionClosing = {
  zones: [downgraded, intended],
  scope: 'none',
  revision: 'b3f1',
  page: 'home',
  endMs: 5012.5,
  durationMs: 12.5,
  overshootMs: 0.5,
  facts: { profile: 'late', consent: 'known' },
  signals: { tcf: 'stale', gpp: 'absent' },
};

function createStillClock(): Clock & { advance(ms: number): void } {
  let elapsed = 5000;
  return {
    nowMs: () => 1_800_000_000_000 + elapsed,
    monotonicMs: () => elapsed,
    after: () => () => {},
    advance(ms) {
      elapsed += ms;
    },
  };
}

type Processor = NonNullable<NodeSDKConfiguration['spanProcessors']>[number];
type EndedSpan = Parameters<Processor['onEnd']>[0];

function createSpanKeeper(): Processor & { readonly spans: EndedSpan[] } {
  const spans: EndedSpan[] = [];
  return {
    spans,
    onStart() {},
    onEnd(span) {
      spans.push(span);
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}

let running: Telemetry | null = null;

async function start(options: Partial<TelemetryOptions> = {}): Promise<Telemetry> {
  running = await startTelemetry({ clock: createStillClock(), env: {}, ...options });
  return running;
}

afterEach(async () => {
  await running?.shutdown();
  running = null;
});

function decideOnce(telemetry: Telemetry, carrier = sampled): void {
  const decision = telemetry.startDecision(carrier, opening);
  decision.stage('identity', 5001, 5002);
  decision.stage('consent', 5002, 5002.25);
  decision.stage('gather', 5002.25, 5011);
  decision.stage('arbitrate', 5011, 5012);
  decision.end(closing);
}

describe('spans', () => {
  test('a recorded decision is a root with a child for each stage, at the times given', async () => {
    const keeper = createSpanKeeper();
    decideOnce(await start({ spanProcessors: [keeper] }));

    const shown = keeper.spans.map((span) => ({ name: span.name, start: span.startTime, end: span.endTime }));
    expect(shown).toEqual([
      { name: 'identity', start: [1_800_000_005, 1_000_000], end: [1_800_000_005, 2_000_000] },
      { name: 'consent', start: [1_800_000_005, 2_000_000], end: [1_800_000_005, 2_250_000] },
      { name: 'gather', start: [1_800_000_005, 2_250_000], end: [1_800_000_005, 11_000_000] },
      { name: 'arbitrate', start: [1_800_000_005, 11_000_000], end: [1_800_000_005, 12_000_000] },
      { name: 'decide', start: [1_800_000_005, 0], end: [1_800_000_005, 12_500_000] },
    ]);
    const root = keeper.spans.at(-1);
    for (const child of keeper.spans.slice(0, -1)) expect(child.parentSpanContext?.spanId).toBe(root?.spanContext().spanId);
  });

  test('the root says what was decided, zone by zone', async () => {
    const keeper = createSpanKeeper();
    decideOnce(await start({ spanProcessors: [keeper] }));

    expect(keeper.spans.at(-1)?.attributes).toEqual({
      'stepwell.route': 'post_decide',
      'stepwell.page': 'home',
      'stepwell.revision': 'b3f1',
      'stepwell.scope': 'none',
      'stepwell.overshoot_ms': 0.5,
      'stepwell.zone': ['hero', 'footer'],
      'stepwell.tier': ['segment', 'anonymous'],
      'stepwell.intended_tier': ['user', 'anonymous'],
      'stepwell.reason': ['profile_timeout', 'none'],
      'stepwell.cause': ['time', 'none'],
      'stepwell.dependency': ['profile', 'none'],
      'stepwell.fact.profile': 'late',
      'stepwell.fact.consent': 'known',
    });
  });

  test('the root belongs to the trace of the caller and hands on its own place in it', async () => {
    const keeper = createSpanKeeper();
    const decision = (await start({ spanProcessors: [keeper] })).startDecision(sampled, opening);
    decision.end(closing);

    const root = keeper.spans[0];
    expect(root?.parentSpanContext?.spanId).toBe('bbbbbbbbbbbbbbbb');
    expect(decision.traceparent).toBe(`00-${callerTrace}-${root?.spanContext().spanId}-01`);
  });

  test('a decision that the caller does not sample makes no span at all, and still hands on the trace', async () => {
    const keeper = createSpanKeeper();
    const telemetry = await start({ spanProcessors: [keeper] });
    const decision = telemetry.startDecision(unsampled, opening);
    decision.stage('gather', 5001, 5002);
    decision.end(closing);

    expect(decision.recording).toBe(false);
    expect(decision.traceparent).toMatch(new RegExp(`^00-${callerTrace}-[0-9a-f]{16}-00$`));
    expect(keeper.spans).toEqual([]);
  });

  test.each(['', 'nonsense', `00-${'0'.repeat(32)}-bbbbbbbbbbbbbbbb-01`, `ff-${callerTrace}-bbbbbbbbbbbbbbbb-01`])(
    'a malformed traceparent %j starts a trace of its own',
    async (traceparent) => {
      const decision = (await start({ spanProcessors: [createSpanKeeper()] })).startDecision({ traceparent }, opening);
      expect(decision.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
      expect(decision.traceparent).not.toContain(callerTrace);
    },
  );

  test('by default one decision in a hundred is recorded', async () => {
    const telemetry = await start({ spanProcessors: [createSpanKeeper()] });
    let recorded = 0;
    for (let i = 0; i < 20_000; i++) if (telemetry.startDecision({}, opening).recording) recorded++;
    // 200 expected, standard deviation 14: ten of them on either side.
    expect(recorded).toBeGreaterThan(60);
    expect(recorded).toBeLessThan(340);
  });

  test('callers that sample everything are recorded up to a limit each second', async () => {
    const clock = createStillClock();
    const telemetry = await start({ clock, spanProcessors: [createSpanKeeper()] });
    const recordedNow = () =>
      Array.from({ length: 500 }, () => telemetry.startDecision(sampled, opening)).filter((d) => d.recording).length;
    expect(recordedNow()).toBe(sampledByCallerPerSecondMax);
    expect(recordedNow()).toBe(0);
    clock.advance(1000);
    expect(recordedNow()).toBe(sampledByCallerPerSecondMax);
  });

  test('a request that got a problem ends its span and counts no decision', async () => {
    const keeper = createSpanKeeper();
    const telemetry = await start({ spanProcessors: [keeper] });
    telemetry.startDecision(sampled, opening).abandon(5001, 404);

    expect(keeper.spans.map((span) => span.attributes)).toEqual([{ 'stepwell.route': 'post_decide', 'http.response.status_code': 404 }]);
    expect(await telemetry.metricsText()).not.toContain('stepwell_decisions_total{');
  });
});

describe('metrics', () => {
  test('the Prometheus text names every metric as documented, with only the labels documented', async () => {
    const telemetry = await start();
    decideOnce(telemetry);
    decideOnce(telemetry);
    telemetry.metrics.dependencyAnswered('profile', 3.5, 'late');
    telemetry.metrics.replyAbandoned('store', 'failed');
    telemetry.metrics.requestShed();
    telemetry.metrics.requestLimited('key');

    const lines = (await telemetry.metricsText()).split('\n');
    const plain = lines.filter((line) => !line.startsWith('#') && !line.includes('_bucket'));
    expect(plain.sort()).toEqual(
      [
        '',
        'stepwell_deadline_overshoot_milliseconds_count{page="home"} 2',
        'stepwell_deadline_overshoot_milliseconds_sum{page="home"} 1',
        'stepwell_decision_duration_milliseconds_count{route="post_decide",page="home"} 2',
        'stepwell_decision_duration_milliseconds_sum{route="post_decide",page="home"} 25',
        'stepwell_decisions_in_flight 0',
        'stepwell_decisions_total{zone="footer",tier="anonymous",intended_tier="anonymous",reason="none",cause="none",dependency="none"} 2',
        'stepwell_decisions_total{zone="hero",tier="segment",intended_tier="user",reason="profile_timeout",cause="time",dependency="profile"} 2',
        'stepwell_dependency_duration_milliseconds_count{dependency="profile",state="late"} 1',
        'stepwell_dependency_duration_milliseconds_sum{dependency="profile",state="late"} 3.5',
        'stepwell_facts_total{dependency="consent",state="known"} 2',
        'stepwell_facts_total{dependency="profile",state="late"} 2',
        'stepwell_consent_signals_total{source="gpp",outcome="absent"} 2',
        'stepwell_consent_signals_total{source="tcf",outcome="stale"} 2',
        'stepwell_replies_abandoned_total{from="store",outcome="failed"} 1',
        'stepwell_requests_shed_total 1',
        'stepwell_requests_limited_total{why="key"} 1',
      ].sort(),
    );
    expect(lines).toContain('# TYPE stepwell_decisions_total counter');
    expect(lines).toContain('stepwell_decision_duration_milliseconds_bucket{route="post_decide",page="home",le="15"} 2');
  });

  test('counters keep counting from one reading to the next', async () => {
    const telemetry = await start();
    decideOnce(telemetry);
    await telemetry.metricsText();
    decideOnce(telemetry);
    expect(await telemetry.metricsText()).toMatch(/stepwell_decisions_total\{zone="hero",.*\} 2\n/);
  });

  test('the same zone at another tier is another series', async () => {
    const telemetry = await start();
    decideOnce(telemetry);
    const anonymous: ZoneDecision = { ...downgraded, tier: 'anonymous' };
    telemetry.startDecision({}, opening).end({ ...closing, zones: [anonymous] });
    const text = await telemetry.metricsText();
    expect(text).toContain('zone="hero",tier="segment"');
    expect(text).toContain('zone="hero",tier="anonymous"');
  });

  test('a decision in time does not enter the overshoot', async () => {
    const telemetry = await start();
    telemetry.startDecision({}, opening).end({ ...closing, overshootMs: 0, page: null });
    const text = await telemetry.metricsText();
    expect(text).not.toContain('overshoot_milliseconds_count');
    expect(text).toContain('page="none"');
  });

  test('more series than the SDK keeps by default are all kept', async () => {
    const telemetry = await start();
    const zones = Array.from({ length: 2500 }, (_, i) => ({ ...intended, zone: `zone-${i}` }));
    telemetry.startDecision({}, opening).end({ ...closing, zones });
    const text = await telemetry.metricsText();
    expect(text).toContain('zone="zone-2499"');
    expect(text).not.toContain('overflow');
  });
});

describe('how the service stands', () => {
  const state: ServiceState = {
    approvalsExpired: 2,
    secondsToNextApprovalExpiry: 60,
    policyStale: true,
    policyLoads: { in_force: 3, refused: 1 },
    asks: [
      { dependency: 'store', asks: 10, calls: 11 },
      { dependency: 'model', asks: 4, calls: 1 },
    ],
    nearCache: null,
  };

  const linesOf = async (telemetry: Telemetry) =>
    (await telemetry.metricsText()).split('\n').filter((line) => /^stepwell_(approval|policy|near)/.test(line));

  test('is asked at each reading: approvals, staleness and loads of the policy', async () => {
    const telemetry = await start();
    expect(await linesOf(telemetry)).toEqual([]);
    let shown = state;
    telemetry.showService(() => shown);
    expect(await linesOf(telemetry)).toEqual([
      'stepwell_approvals_expired 2',
      'stepwell_approval_next_expiry_seconds 60',
      'stepwell_policy_stale 1',
      'stepwell_policy_loads_total{outcome="in_force"} 3',
      'stepwell_policy_loads_total{outcome="refused"} 1',
    ]);
    shown = { ...state, approvalsExpired: 0, policyStale: false };
    expect(await linesOf(telemetry)).toEqual(expect.arrayContaining(['stepwell_approvals_expired 0', 'stepwell_policy_stale 0']));
  });

  test('includes what the near cache of a store that has one does', async () => {
    const telemetry = await start();
    const nearCache = { reads: { profile: { validated: 3, trusted: 2, fetched: 1 } }, bytes: 4096, evictions: 7 };
    telemetry.showService(() => ({ ...state, nearCache }));
    expect((await linesOf(telemetry)).filter((line) => line.includes('near'))).toEqual([
      'stepwell_near_cache_bytes 4096',
      'stepwell_near_cache_evictions_total 7',
      'stepwell_near_cache_reads_total{record="profile",outcome="validated"} 3',
      'stepwell_near_cache_reads_total{record="profile",outcome="trusted"} 2',
      'stepwell_near_cache_reads_total{record="profile",outcome="fetched"} 1',
    ]);
  });

  test('includes how many lines of the audit log wait to be written, and how many were lost', async () => {
    const telemetry = await start();
    telemetry.showService(() => ({ ...state, audit: { waiting: 3, lost: 2 } }));
    const lines = (await telemetry.metricsText()).split('\n').filter((line) => line.startsWith('stepwell_audit'));
    expect(lines).toEqual(['stepwell_audit_lines_waiting 3', 'stepwell_audit_lines_lost_total 2']);
    telemetry.showService(() => state);
    expect(await telemetry.metricsText()).not.toContain('stepwell_audit_lines_lost_total 0');
  });

  test('includes how many streams of change notices are open', async () => {
    const telemetry = await start();
    telemetry.showService(() => ({ ...state, changeStreamsOpen: 12 }));
    expect(await telemetry.metricsText()).toContain('\nstepwell_change_streams_open 12\n');
  });

  test('includes how often each dependency was asked, and how many calls that took', async () => {
    const telemetry = await start();
    telemetry.showService(() => state);
    const lines = (await telemetry.metricsText()).split('\n').filter((line) => /^stepwell_dependency_(asks|calls)/.test(line));
    expect(lines).toEqual([
      'stepwell_dependency_asks_total{dependency="store"} 10',
      'stepwell_dependency_asks_total{dependency="model"} 4',
      'stepwell_dependency_calls_total{dependency="store"} 11',
      'stepwell_dependency_calls_total{dependency="model"} 1',
    ]);
  });

  test('says nothing of a next expiry where there is none', async () => {
    const telemetry = await start();
    telemetry.showService(() => ({ ...state, secondsToNextApprovalExpiry: null }));
    expect((await linesOf(telemetry)).join()).not.toContain('next_expiry');
  });
});

describe('shutting down', () => {
  test('sends what is buffered, and waits for an exporter that hangs no longer than it may', async () => {
    const clock = new VirtualClock();
    let asked = 0;
    const hanging = { ...createSpanKeeper(), shutdown: () => new Promise<void>(() => (asked += 1)) };
    const telemetry = await startTelemetry({ clock, env: {}, spanProcessors: [hanging] });
    let isDown = false;
    const down = telemetry.shutdown().then(() => {
      isDown = true;
    });
    expect(asked).toBe(1);
    await new Promise(setImmediate);
    expect(isDown).toBe(false);
    clock.advance(3000);
    await down;
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('quiet by default', () => {
  test('without an exporter named there are metrics to read and no spans', async () => {
    const telemetry = await start();
    const decision = telemetry.startDecision(sampled, opening);
    expect(decision).toMatchObject({ recording: false, traceparent: null });
  });

  test('a disabled SDK keeps nothing', async () => {
    const telemetry = await start({ env: { OTEL_SDK_DISABLED: 'true' } });
    telemetry.startDecision(sampled, opening).end(closing);
    expect(await telemetry.metricsText()).toBe('');
  });
});

describe('nothing personal leaves', () => {
  async function everythingShown(decisions: readonly ZoneDecision[]): Promise<string> {
    const keeper = createSpanKeeper();
    const telemetry = await start({ spanProcessors: [keeper] });
    const decision = telemetry.startDecision(sampled, opening);
    decision.stage('gather', 5001, 5002);
    decision.end({ ...closing, zones: decisions });
    const spans = keeper.spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status }));
    return JSON.stringify(spans) + (await telemetry.metricsText());
  }

  test('neither content, variant, offer nor cache key is in a span or a metric', async () => {
    expect(await everythingShown([downgraded, intended])).not.toContain(canary);
  });

  test('the canary would be seen if it leaked through a name', async () => {
    expect(await everythingShown([{ ...downgraded, zone: canary }])).toContain(canary);
  });
});
