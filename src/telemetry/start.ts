/**
 * Starts OpenTelemetry for the process. Nothing connects anywhere unless a standard `OTEL_*` variable names an exporter or an
 * endpoint; the Prometheus text is always there, read from the management port and served by no port of its own.
 */
import { context, DiagLogLevel, diag, propagation as globalPropagation, type Meter, metrics, trace } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { NodeSDKConfiguration } from '@opentelemetry/sdk-node';
import type { Clock } from '../time/clock.ts';
import { startDecisionSpan } from './decision-span.ts';
import { type Environment, isDisabled, namesService, wants } from './environment.ts';
import { createInFlight, showInFlight } from './in-flight.ts';
import { createInstruments } from './instruments.ts';
import { metricNames } from './names.ts';
import { createDefaultSampler } from './sampler.ts';
import { createServiceStateInstruments } from './service-state.ts';
import { type DecisionClosing, type Telemetry, telemetryOff } from './telemetry.ts';
import { propagationOf } from './trace-context.ts';
import { untraced } from './untraced.ts';

export interface TelemetryOptions {
  readonly clock: Clock;
  /** The environment to look for `OTEL_*` in; the SDK itself reads the process's own. */
  readonly env: Environment;
  /** Hears what the SDK complains about: an exporter that cannot be reached, a variable it does not understand. */
  readonly warn?: (message: string) => void;
  /** Instead of the exporters that the environment names. */
  readonly spanProcessors?: NonNullable<NodeSDKConfiguration['spanProcessors']>;
}

const scopeName = 'stepwell';
/** Zones × tiers × reasons of a large policy; the SDK's default of 2,000 would fold the rest into one series. */
const decisionSeriesMax = 20_000;
const shutdownWaitMs = 3000;
const warningLengthMax = 300;
const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  if (isDisabled(options.env)) return telemetryOff(propagationOf(options.env));
  if (options.warn !== undefined) listenToComplaints(options.warn);
  const prometheus = startPrometheus();
  const exporting = await startExporters(options);
  const meters = [prometheus.meter, ...exporting.meters];
  const instruments = createInstruments(meters);
  const serviceState = createServiceStateInstruments(meters);
  const { clock } = options;
  const inFlight = createInFlight(clock);
  showInFlight(meters, inFlight);
  const propagation = propagationOf(options.env);
  const tracing = exporting.traces ? { tracer: trace.getTracer(scopeName), propagation, clock } : null;
  return {
    startDecision(carrier, opening) {
      inFlight.began(opening.startMs);
      const onEnd = (closing: DecisionClosing | null): void => {
        inFlight.ended();
        if (closing !== null) instruments.decided(opening.route, closing);
      };
      return tracing === null ? untraced(carrier, onEnd, propagation) : startDecisionSpan(tracing, carrier, opening, onEnd);
    },
    metrics: instruments,
    showService: serviceState.show,
    metricsText: prometheus.text,
    async shutdown() {
      await within(shutdownWaitMs, clock, Promise.allSettled([exporting.shutdown(), prometheus.shutdown()]));
      letGoOfGlobals();
    },
  };
}

function startPrometheus() {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader], views: seriesViews() });
  return {
    meter: provider.getMeter(scopeName),
    async text(): Promise<string> {
      const { resourceMetrics } = await reader.collect();
      return `${serializer.serialize(resourceMetrics).trimEnd()}\n`;
    },
    shutdown: () => provider.shutdown(),
  };
}

interface Exporting {
  readonly traces: boolean;
  readonly meters: readonly Meter[];
  shutdown(): Promise<void>;
}

/** Loads the SDK, with its many exporters, only when something asks for one. */
async function startExporters({ env, clock, spanProcessors }: TelemetryOptions): Promise<Exporting> {
  const traces = spanProcessors !== undefined || wants(env, 'TRACES');
  const pushesMetrics = wants(env, 'METRICS');
  if (!traces && !pushesMetrics) return { traces, meters: [], shutdown: async () => {} };
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    ...(namesService(env) ? {} : { serviceName: scopeName }),
    ...(env.OTEL_TRACES_SAMPLER ? {} : { sampler: createDefaultSampler(clock) }),
    ...(traces ? {} : { spanProcessors: [] }),
    ...(spanProcessors === undefined ? {} : { spanProcessors }),
    ...(pushesMetrics ? {} : { metricReaders: [] }),
    // Logs are lines on the standard streams, not OpenTelemetry's.
    logRecordProcessors: [],
    views: seriesViews(),
    instrumentations: [],
  });
  sdk.start();
  return { traces, meters: pushesMetrics ? [metrics.getMeter(scopeName)] : [], shutdown: () => sdk.shutdown() };
}

function seriesViews() {
  return [{ instrumentName: metricNames.decisions, aggregationCardinalityLimit: decisionSeriesMax }];
}

/** Only the sentence is passed on: what the SDK appends may hold an endpoint's credentials. */
function listenToComplaints(warn: (message: string) => void): void {
  const tell = (message: string): void => warn(`telemetry: ${message.slice(0, warningLengthMax)}`);
  const quiet = (): void => {};
  diag.setLogger(
    { error: tell, warn: tell, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
}

/** The SDK registers itself for the whole process; a second start, as in tests, must find that free again. */
function letGoOfGlobals(): void {
  trace.disable();
  metrics.disable();
  globalPropagation.disable();
  context.disable();
  diag.disable();
}

function within(ms: number, clock: Clock, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const dispose = clock.after(ms, resolve);
    work.then(() => {
      dispose();
      resolve();
    });
  });
}
