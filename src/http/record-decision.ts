/** Tells telemetry what was decided: tiers, reasons, states and times. It has nothing personal to tell. */
import type { PolicyInForce } from '../contract/convert.ts';
import type { ZoneDecision } from '../decision/decision.ts';
import type { Evidence, Fact, TokenEvidence } from '../decision/facts.ts';
import type { Dependency } from '../decision/vocabulary.ts';
import type { DecisionTrace, FactState, FactStates, Metrics, Stage } from '../telemetry/telemetry.ts';
import type { DecidedBatch } from './decide-in-batches.ts';
import type { TimedStage } from './plugins/server-timing.ts';

export interface DecisionRecord {
  readonly trace: DecisionTrace;
  readonly metrics: Metrics;
  readonly policy: PolicyInForce;
  readonly page: string | null;
  readonly zones: readonly ZoneDecision[];
  readonly stages: readonly TimedStage[];
  readonly last: DecidedBatch;
  readonly startedAtMs: number;
  readonly deadlineAtMs: number;
}

const spanOf: Readonly<Partial<Record<TimedStage['name'], Stage>>> = {
  consent: 'consent',
  identity: 'identity',
  gather: 'gather',
  decide: 'arbitrate',
};

export function recordDecision(record: DecisionRecord): void {
  const { trace, metrics, policy, page, zones, stages, last, startedAtMs, deadlineAtMs } = record;
  if (trace.recording) {
    for (const { name, startMs, endMs } of stages) {
      const span = spanOf[name];
      if (span !== undefined) trace.stage(span, startMs, endMs);
    }
  }
  const facts = factStatesOf(last.evidence);
  answered(metrics, facts, stages);
  trace.end({
    zones,
    scope: zones.some(({ cache }) => cache.scope === 'none') ? 'none' : 'private',
    revision: policy.artefact.revision,
    page,
    endMs: last.endMs,
    durationMs: last.endMs - startedAtMs,
    overshootMs: Math.max(0, last.endMs - deadlineAtMs),
    facts,
  });
}

/** One round trip answers for the three that live in the store. */
function answered(metrics: Metrics, facts: FactStates, stages: readonly TimedStage[]): void {
  for (const { name, startMs, endMs } of stages) {
    const dependencies: readonly Dependency[] =
      name === 'identity' ? ['identity'] : name === 'gather' ? ['consent', 'profile', 'session'] : [];
    for (const dependency of dependencies) {
      const state = facts[dependency];
      if (state !== undefined && state !== 'refused') metrics.dependencyAnswered(dependency, endMs - startMs, state);
    }
  }
}

/** What was not asked for is `refused`, and left out. */
function factStatesOf({ identity, consent, profile, session }: Evidence): FactStates {
  const facts: Partial<Record<Dependency, FactState>> = {};
  const token = stateOfToken(identity.token);
  if (token !== null) facts.identity = token;
  for (const [dependency, fact] of [
    ['consent', consent.stored],
    ['profile', profile],
    ['session', session],
  ] as readonly [Dependency, Fact<unknown>][]) {
    if (fact.state !== 'refused') facts[dependency] = fact.state;
  }
  return facts;
}

/** A token that failed its checks is an answer all the same. */
function stateOfToken({ state }: TokenEvidence): FactState | null {
  if (state === 'none') return null;
  return state === 'late' || state === 'failed' ? state : 'known';
}
