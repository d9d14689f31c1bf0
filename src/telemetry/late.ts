/**
 * Telemetry whose libraries are loaded when there is time for them, or when somebody reads metrics: to load them takes a good part of
 * a cold start, and no answer needs them. What happens until then is kept and counted then. Where something is exported they are
 * loaded at once, because a span cannot be begun later.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../time/clock.ts';
import { isDisabled, wants } from './environment.ts';
import type { TelemetryOptions } from './start.ts';
import { type DecisionClosing, type Metrics, noTelemetry, type Telemetry, telemetryOff } from './telemetry.ts';
import { type Propagation, propagationOf } from './trace-context.ts';
import { untraced } from './untraced.ts';

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
/** So long what was kept is counted at a stretch: decisions wait meanwhile. */
const stretchMs = 2;
const causeLengthMax = 300;

export async function openTelemetry(options: TelemetryOptions): Promise<LateTelemetry> {
  const { env, clock, warn } = options;
  if (isDisabled(env)) return { ...telemetryOff(propagationOf(env)), load: async () => {} };
  const late = createLateTelemetry(async () => (await import('./start.ts')).startTelemetry(options), {
    clock,
    warn,
    propagation: propagationOf(env),
  });
  if (wants(env, 'TRACES') || wants(env, 'METRICS')) await late.load();
  return late;
}

type Call = (telemetry: Telemetry) => void;

export interface LateTelemetryParts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Hears why telemetry cannot be had, or why something is not counted. Each once. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Until telemetry is loaded. Absent: as W3C has it. */
  readonly propagation?: Propagation;
}

/** Never rejects: where telemetry cannot be started the service goes on without, and the next who asks for it tries again. */
export function createLateTelemetry(start: () => Promise<Telemetry>, { clock, warn, propagation }: LateTelemetryParts): LateTelemetry {
  let loaded: Telemetry | null = null;
  let loading: Promise<Telemetry> | null = null;
  /** Null: it could not be started, and nobody knows whether it ever will. */
  let kept: Call[] | null = [];
  let shownService: Parameters<Telemetry['showService']>[0] | null = null;
  const told = new Set<string>();

  function tell(what: Call): void {
    if (loaded !== null) what(loaded);
    else if (kept !== null && kept.length < keptMax) kept.push(what);
  }

  async function load(): Promise<Telemetry> {
    kept ??= [];
    try {
      const telemetry = await start();
      await countInPieces(telemetry, kept);
      if (shownService !== null) telemetry.showService(shownService);
      loaded = telemetry;
      return telemetry;
    } catch (error) {
      warnOnce('telemetry cannot be started, and the service goes on without', error);
      loading = null;
      return noTelemetry;
    } finally {
      kept = null;
    }
  }

  /** In order, with pauses. What comes meanwhile stands behind, and each piece is at least as long as what came, so there is an end. */
  async function countInPieces(telemetry: Telemetry, calls: Call[]): Promise<void> {
    let left = calls.length;
    while (calls.length > 0) {
      const came = calls.length - left;
      const endMs = clock.monotonicMs() + stretchMs;
      let count = 0;
      for (const what of calls) {
        if (count > came && clock.monotonicMs() >= endMs) break;
        count += 1;
        countOne(telemetry, what);
      }
      calls.splice(0, count);
      left = calls.length;
      if (left > 0) await nextTurn();
    }
  }

  function countOne(telemetry: Telemetry, what: Call): void {
    try {
      what(telemetry);
    } catch (error) {
      warnOnce('telemetry has not counted all that came before it was loaded', error);
    }
  }

  function warnOnce(what: string, cause: unknown): void {
    if (told.has(what)) return;
    told.add(what);
    warn?.(`${what}: ${String(cause).slice(0, causeLengthMax)}`);
  }

  function loadOnce(): Promise<Telemetry> {
    loading ??= load();
    return loading;
  }

  return {
    startDecision(carrier, opening) {
      if (loaded !== null) return loaded.startDecision(carrier, opening);
      const count = (closing: DecisionClosing) => tell((telemetry) => telemetry.startDecision(carrier, opening).end(closing));
      return untraced(carrier, (closing) => closing !== null && count(closing), propagation);
    },
    metrics: forwarding(tell),
    showService(read) {
      shownService = read;
      loaded?.showService(read);
    },
    load: async () => void (await loadOnce()),
    metricsText: async () => (await loadOnce()).metricsText(),
    shutdown: async () => (await loading)?.shutdown(),
  };
}

/** Each of the metrics, whichever there are. */
function forwarding(tell: (what: Call) => void): Metrics {
  const names = Object.keys(noTelemetry.metrics) as (keyof Metrics)[];
  const forward =
    (name: keyof Metrics) =>
    (...given: unknown[]) =>
      tell(({ metrics }) => (metrics[name] as (...all: unknown[]) => void)(...given));
  return Object.fromEntries(names.map((name) => [name, forward(name)])) as unknown as Metrics;
}
