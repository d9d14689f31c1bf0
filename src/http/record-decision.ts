/** Tells telemetry what was decided: tiers, reasons, states and times. It has nothing personal to tell. */
import type { HeardConsent } from '../consent/signals.ts';
import type { PolicyInForce } from '../contract/convert.ts';
import type { Evidence, TokenEvidence } from '../decision/facts.ts';
import { type Dependency, dependencies } from '../decision/vocabulary.ts';
import type { GatherTiming, StageTiming } from '../evidence/gathering.ts';
import type { DecisionTrace, FactState, FactStates, Metrics, Stage } from '../telemetry/telemetry.ts';
import type { Decided } from './decide-in-batches.ts';
import type { TimedStage } from './plugins/server-timing.ts';

export interface DecisionRecord {
  readonly trace: DecisionTrace;
  readonly metrics: Metrics;
  readonly policy: PolicyInForce;
  readonly page: string | null;
  readonly decided: Decided;
  readonly stages: readonly TimedStage[];
  readonly timing: GatherTiming;
  readonly signals: HeardConsent['outcomes'];
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
  const { trace, metrics, policy, page, decided, stages, timing, signals, startedAtMs, deadlineAtMs } = record;
  const { zones, evidence, last } = decided;
  if (trace.recording) {
    for (const { name, startMs, endMs } of stages) {
      const span = spanOf[name];
      if (span !== undefined) trace.stage(span, startMs, endMs);
    }
  }
  const facts = evidence.map(factStatesOf).reduce(least);
  answered(metrics, facts, timing, last.startMs);
  if (timing.sources.length > 0) sourcesAnswered(metrics, evidence.at(-1), timing, last.startMs);
  trace.end({
    zones,
    scope: zones.some(({ cache }) => cache.scope === 'none') ? 'none' : 'private',
    revision: policy.artefact.revision,
    page,
    endMs: last.endMs,
    durationMs: last.endMs - startedAtMs,
    overshootMs: Math.max(0, last.endMs - deadlineAtMs),
    facts,
    signals,
  });
}

/** From asking to the answer, or to when it was given up on. Who a visitor is, the token says; one round trip answers for the rest. */
function answered(metrics: Metrics, facts: FactStates, { token, store }: GatherTiming, givenUpMs: number): void {
  const tell = (dependency: Dependency, { startMs, endMs }: StageTiming): void => {
    const state = facts[dependency];
    if (state !== undefined) metrics.dependencyAnswered(dependency, (endMs ?? givenUpMs) - startMs, state);
  };
  if (token !== null) tell('identity', token);
  if (store === null) return;
  for (const dependency of store.asked) if (dependency !== 'identity') tell(dependency, store);
}

/** Each answers for itself; of identity, a source says only whom a device is linked to. */
function sourcesAnswered(metrics: Metrics, evidence: Evidence | undefined, { sources }: GatherTiming, givenUpMs: number): void {
  if (evidence === undefined) return;
  for (const { dependency, startMs, endMs } of sources) {
    const { state } = dependency === 'identity' ? evidence.identity.device : evidence[dependency];
    metrics.dependencyAnswered(dependency, (endMs ?? givenUpMs) - startMs, state);
  }
}

/** Where zones were decided one after another, a dependency counts by the least that any of them had. */
function least(before: FactStates, after: FactStates): FactStates {
  const facts: Partial<Record<Dependency, FactState>> = { ...after };
  for (const dependency of dependencies) {
    const state = before[dependency];
    if (state === 'late' || state === 'failed') facts[dependency] = state;
  }
  return facts;
}

/** What was not asked for is `refused`, and left out. */
function factStatesOf({ identity, consent, profile, session, audience, model }: Evidence): FactStates {
  const facts: Partial<Record<Dependency, FactState>> = {};
  const token = stateOfToken(identity.token);
  if (token !== null) facts.identity = token;
  // Of a visitor without a token, what was withdrawn in the session.
  const said = consent.stored.state === 'refused' ? (consent.session?.state ?? 'refused') : consent.stored.state;
  if (said !== 'refused') facts.consent = said;
  if (profile.state !== 'refused') facts.profile = profile.state;
  if (session.state !== 'refused') facts.session = session.state;
  if (audience.state !== 'refused') facts.audience = audience.state;
  if (model.state !== 'refused') facts.model = model.state;
  return facts;
}

/** A token that failed its checks is an answer all the same. */
function stateOfToken({ state }: TokenEvidence): FactState | null {
  if (state === 'none') return null;
  return state === 'late' || state === 'failed' ? state : 'known';
}
