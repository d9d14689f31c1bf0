/** `Server-Timing`: how long each stage took, in milliseconds. Names of stages and numbers, nothing else. */
export interface TimedStage {
  readonly name: 'consent' | 'identity' | 'gather' | 'decide' | 'total';
  readonly startMs: number;
  readonly endMs: number;
}

export function serverTiming(stages: readonly TimedStage[]): string {
  return stages.map(({ name, startMs, endMs }) => `${name};dur=${Math.max(0, Math.round((endMs - startMs) * 1000) / 1000)}`).join(', ');
}
