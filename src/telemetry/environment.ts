/** What the standard `OTEL_*` variables ask for, as far as the start of telemetry hangs on it. Loads nothing of OpenTelemetry. */

export type Environment = Readonly<Record<string, string | undefined>>;

export function isDisabled({ OTEL_SDK_DISABLED }: Environment): boolean {
  return OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true';
}

/** The SDK by itself would export to localhost when nothing is set; a quiet machine should stay quiet. */
export function wants(env: Environment, signal: 'TRACES' | 'METRICS'): boolean {
  const exporter = env[`OTEL_${signal}_EXPORTER`];
  if (exporter) return exporter !== 'none';
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]);
}

export function namesService(env: Environment): boolean {
  return Boolean(env.OTEL_SERVICE_NAME) || /(^|,)\s*service\.name=/.test(env.OTEL_RESOURCE_ATTRIBUTES ?? '');
}
