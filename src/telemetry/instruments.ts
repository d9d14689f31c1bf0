/**
 * The service's metrics. Counters are plain numbers that a reader collects when it asks, because the SDK hashes the
 * attributes of every `add`, and a decision of eight zones would pay for eight of them.
 */
import type { Attributes, Histogram, Meter, ObservableResult } from '@opentelemetry/api';
import type { ZoneDecision } from '../decision/decision.ts';
import type { Dependency } from '../decision/vocabulary.ts';
import { durationBucketsMs, metricNames, nothing, overshootBucketsMs } from './names.ts';
import type { DecisionClosing, DecisionRoute, FactState, FactStates, LimitedBy, Metrics } from './telemetry.ts';

export interface Instruments extends Metrics {
  decided(route: DecisionRoute, closing: DecisionClosing): void;
}

/** One set of numbers, shown through every meter given. */
export function createInstruments(meters: readonly Meter[]): Instruments {
  const decisions = createDecisionCounts();
  const facts = createCounts<FactLabels>(({ dependency, state }) => `${dependency} ${state}`);
  const signals = createCounts<SignalLabels>(({ source, outcome }) => `${source} ${outcome}`);
  const shed = createCounts<Attributes>(() => '');
  const limited = createCounts<LimitedLabels>(({ why }) => why);
  const abandoned = createCounts<AbandonedLabels>(({ from, outcome }) => `${from} ${outcome}`);
  const duration = createHistograms(meters, metricNames.decisionDuration, {
    description: 'From the headers of a request to its decision',
    boundaries: durationBucketsMs,
  });
  const overshoot = createHistograms(meters, metricNames.deadlineOvershoot, {
    description: 'By how much a decision missed its deadline; decisions in time are not in it',
    boundaries: overshootBucketsMs,
  });
  const dependency = createHistograms(meters, metricNames.dependencyDuration, {
    description: 'How long a dependency took to answer or to be given up on',
    boundaries: durationBucketsMs,
  });
  for (const meter of meters) {
    showCounts(meter, metricNames.decisions, 'Zones decided, by tier served and why it is not the intended one', decisions.show);
    showCounts(meter, metricNames.facts, 'Evidence that decisions had, by state', facts.show);
    showCounts(meter, metricNames.consentSignals, 'Consent signals of decisions, by whether they came and count', signals.show);
    showCounts(meter, metricNames.requestsShed, 'Requests turned away before any work began', shed.show);
    showCounts(meter, metricNames.requestsLimited, 'Requests beyond what their key, or bad keys from their address, may ask', limited.show);
    showCounts(meter, metricNames.repliesAbandoned, 'Replies that came when nobody waited any more', abandoned.show);
  }
  const durationLabels = remember((route: DecisionRoute, page: string) => ({ route, page }));
  const overshootLabels = remember((page: string, _: '') => ({ page }));
  const dependencyLabels = remember((name: Dependency, state: FactState) => ({ dependency: name, state }));
  return {
    decided(route, closing) {
      for (const zone of closing.zones) decisions.add(zone);
      countFacts(facts, closing.facts);
      for (const source in closing.signals) signals.add({ source, outcome: closing.signals[source] ?? nothing }, 1);
      const page = closing.page ?? nothing;
      duration(closing.durationMs, durationLabels(route, page));
      if (closing.overshootMs > 0) overshoot(closing.overshootMs, overshootLabels(page, ''));
    },
    dependencyAnswered: (name, durationMs, state) => dependency(durationMs, dependencyLabels(name, state)),
    requestShed: () => shed.add({}, 1),
    requestLimited: (why) => limited.add({ why }, 1),
    replyAbandoned: (from, outcome) => abandoned.add({ from, outcome }, 1),
  };
}

interface LimitedLabels extends Attributes {
  readonly why: LimitedBy;
}

interface AbandonedLabels extends Attributes {
  readonly from: 'store' | Dependency;
  readonly outcome: 'answered' | 'failed';
}

interface SignalLabels extends Attributes {
  readonly source: string;
  readonly outcome: string;
}

interface FactLabels extends Attributes {
  readonly dependency: Dependency;
  readonly state: FactState;
}

function countFacts(counts: Counts<FactLabels>, facts: FactStates): void {
  for (const dependency in facts) {
    const state = facts[dependency as Dependency];
    if (state !== undefined) counts.add({ dependency: dependency as Dependency, state }, 1);
  }
}

/** Grouped by zone first, so that the usual answer is found by two short look-ups and no text is built. */
function createDecisionCounts() {
  const zones = new Map<string, Map<string, { count: number; readonly labels: Attributes }>>();
  return {
    add(zone: ZoneDecision): void {
      let counts = zones.get(zone.zone);
      if (counts === undefined) {
        counts = new Map();
        zones.set(zone.zone, counts);
      }
      const key = decisionKey(zone);
      const entry = counts.get(key);
      if (entry === undefined) counts.set(key, { count: 1, labels: decisionLabels(zone) });
      else entry.count++;
    },
    show(result: ObservableResult): void {
      for (const counts of zones.values()) for (const { count, labels } of counts.values()) result.observe(count, labels);
    },
  };
}

/** A zone whose policy was replaced may change its intended tier, so that is part of the key. */
function decisionKey({ tier, intendedTier, downgrade }: ZoneDecision): string {
  if (downgrade === null) return tier === intendedTier ? tier : `${tier} ${intendedTier}`;
  return `${tier} ${intendedTier} ${downgrade.reason} ${downgrade.dependency}`;
}

function decisionLabels({ zone, tier, intendedTier, downgrade }: ZoneDecision): Attributes {
  return {
    zone,
    tier,
    intended_tier: intendedTier,
    reason: downgrade?.reason ?? nothing,
    cause: downgrade?.cause ?? nothing,
    dependency: downgrade?.dependency ?? nothing,
  };
}

interface Counts<L extends Attributes> {
  add(labels: L, by: number): void;
  show(result: ObservableResult): void;
}

function createCounts<L extends Attributes>(keyOf: (labels: L) => string): Counts<L> {
  const entries = new Map<string, { count: number; readonly labels: L }>();
  return {
    add(labels, by) {
      const key = keyOf(labels);
      const entry = entries.get(key);
      if (entry === undefined) entries.set(key, { count: by, labels });
      else entry.count += by;
    },
    show(result) {
      for (const { count, labels } of entries.values()) result.observe(count, labels);
    },
  };
}

function showCounts(meter: Meter, name: string, description: string, show: (result: ObservableResult) => void): void {
  meter.createObservableCounter(name, { description }).addCallback(show);
}

function createHistograms(
  meters: readonly Meter[],
  name: string,
  { description, boundaries }: { readonly description: string; readonly boundaries: number[] },
): (value: number, labels: Attributes) => void {
  const histograms: readonly Histogram[] = meters.map((meter) =>
    meter.createHistogram(name, { description, unit: 'ms', advice: { explicitBucketBoundaries: boundaries } }),
  );
  return (value, labels) => {
    for (const histogram of histograms) histogram.record(value, labels);
  };
}

/** The label objects of a pair of names, made once. Both names come from closed lists or from the policy, so it cannot grow without end. */
function remember<A extends string, B extends string>(make: (a: A, b: B) => Attributes): (a: A, b: B) => Attributes {
  const made = new Map<A, Map<B, Attributes>>();
  return (a, b) => {
    let ofA = made.get(a);
    if (ofA === undefined) {
      ofA = new Map();
      made.set(a, ofA);
    }
    let labels = ofA.get(b);
    if (labels === undefined) {
      labels = make(a, b);
      ofA.set(b, labels);
    }
    return labels;
  };
}
