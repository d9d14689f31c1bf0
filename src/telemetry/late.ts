/**
 * Telemetry whose libraries are loaded when there is time for them, or when somebody reads metrics: to load them takes a good part of
 * a cold start, and no answer needs them. What happens until then is kept and counted then. Where something is exported they are
 * loaded at once, because a span cannot be begun later.
 */
import { isDisabled, wants } from './environment.ts';
import type { TelemetryOptions } from './start.ts';
import { type DecisionTrace, type Metrics, noTelemetry, type Telemetry } from './telemetry.ts';

export interface LateTelemetry extends Telemetry {
  load(): Promise<void>;
}

/** What loading it takes, in pieces: whoever has them done before finds little left to do. */
export const librariesOfTelemetry = [
  () => import('@opentelemetry/api'),
  () => import('@opentelemetry/sdk-metrics'),
  () => import('@opentelemetry/exporter-prometheus'),
] as const;

/** A second of very many decisions. What would come on top is not counted. */
const keptMax = 100_000;

export async function openTelemetry(options: TelemetryOptions): Promise<LateTelemetry> {
  const { env } = options;
  if (isDisabled(env)) return { ...noTelemetry, load: async () => {} };
  const late = createLateTelemetry(async () => (await import('./start.ts')).startTelemetry(options));
  if (wants(env, 'TRACES') || wants(env, 'METRICS')) await late.load();
  return late;
}

export function createLateTelemetry(start: () => Promise<Telemetry>): LateTelemetry {
  let loaded: Telemetry | null = null;
  let loading: Promise<Telemetry> | null = null;
  let kept: ((telemetry: Telemetry) => void)[] = [];

  function tell(what: (telemetry: Telemetry) => void): void {
    if (loaded !== null) what(loaded);
    else if (kept.length < keptMax) kept.push(what);
  }

  async function load(): Promise<Telemetry> {
    const telemetry = await start();
    for (const what of kept) what(telemetry);
    kept = [];
    loaded = telemetry;
    return telemetry;
  }

  function loadOnce(): Promise<Telemetry> {
    loading ??= load();
    return loading;
  }

  return {
    startDecision(carrier, opening) {
      if (loaded !== null) return loaded.startDecision(carrier, opening);
      return untraced((closing) => tell((telemetry) => telemetry.startDecision(carrier, opening).end(closing)));
    },
    metrics: forwarding(tell),
    showService: (read) => tell((telemetry) => telemetry.showService(read)),
    load: async () => void (await loadOnce()),
    metricsText: async () => (await loadOnce()).metricsText(),
    shutdown: async () => (await loading)?.shutdown(),
  };
}

function untraced(end: DecisionTrace['end']): DecisionTrace {
  return { recording: false, traceparent: null, stage() {}, end, abandon() {} };
}

/** Each of the metrics, whichever there are. */
function forwarding(tell: (what: (telemetry: Telemetry) => void) => void): Metrics {
  const names = Object.keys(noTelemetry.metrics) as (keyof Metrics)[];
  const forward =
    (name: keyof Metrics) =>
    (...given: unknown[]) =>
      tell(({ metrics }) => (metrics[name] as (...all: unknown[]) => void)(...given));
  return Object.fromEntries(names.map((name) => [name, forward(name)])) as unknown as Metrics;
}
