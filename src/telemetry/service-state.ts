/** Metrics of how the service stands rather than of what it did. They are worked out when somebody reads them, and never before. */
import type { Meter, ObservableResult } from '@opentelemetry/api';
import { metricNames } from './names.ts';
import type { NearCacheState, ServiceState } from './telemetry.ts';

export interface ServiceStateInstruments {
  show(read: () => ServiceState): void;
}

export function createServiceStateInstruments(meters: readonly Meter[]): ServiceStateInstruments {
  let read: (() => ServiceState) | null = null;

  const observing =
    (observe: (result: ObservableResult, state: ServiceState) => void) =>
    (result: ObservableResult): void => {
      if (read !== null) observe(result, read());
    };

  for (const meter of meters) {
    gauge(
      meter,
      metricNames.approvalsExpired,
      'Approvals of the policy in force that have expired; their variants are served on',
      (result, state) => result.observe(state.approvalsExpired),
    );
    gauge(meter, metricNames.approvalNextExpiry, 'Until the next approval expires; absent where none will', (result, state) => {
      if (state.secondsToNextApprovalExpiry !== null) result.observe(state.secondsToNextApprovalExpiry);
    });
    gauge(meter, metricNames.policyStale, '1 while a newer policy was given and did not load', (result, state) =>
      result.observe(state.policyStale ? 1 : 0),
    );
    meter
      .createObservableCounter(metricNames.policyLoads, { description: 'Policies read, at the start and since, by what became of them' })
      .addCallback(
        observing((result, { policyLoads }) => {
          for (const [outcome, count] of Object.entries(policyLoads)) result.observe(count, { outcome });
        }),
      );
    for (const [name, what, description] of dependencyCounts) {
      meter.createObservableCounter(name, { description }).addCallback(
        observing((result, { asks }) => {
          for (const each of asks) result.observe(each[what], { dependency: each.dependency });
        }),
      );
    }
    gauge(meter, metricNames.nearCacheBytes, 'What the near cache holds of the records of Redis', (result, { nearCache }) => {
      if (nearCache !== null) result.observe(nearCache.bytes);
    });
    meter
      .createObservableCounter(metricNames.nearCacheEvictions, { description: 'Records that the near cache let go of for want of room' })
      .addCallback(
        observing((result, { nearCache }) => {
          if (nearCache !== null) result.observe(nearCache.evictions);
        }),
      );
    gauge(meter, metricNames.auditWaiting, 'Lines of the audit log that are not written yet', (result, { audit }) => {
      if (audit) result.observe(audit.waiting);
    });
    meter
      .createObservableCounter(metricNames.auditLost, {
        description: 'Lines of the audit log that could not be written and were let go of',
      })
      .addCallback(
        observing((result, { audit }) => {
          if (audit) result.observe(audit.lost);
        }),
      );
    gauge(meter, metricNames.changeStreamsOpen, 'Streams open on which pages hear that they should ask again', (result, state) => {
      if (state.changeStreamsOpen !== undefined) result.observe(state.changeStreamsOpen);
    });
    meter
      .createObservableCounter(metricNames.nearCacheReads, {
        description: 'Records read, and reads as a whole, by whether the one held was used, with asking Redis or without, or was fetched',
      })
      .addCallback(observing((result, { nearCache }) => showNearCacheReads(result, nearCache)));
  }

  function gauge(meter: Meter, name: string, description: string, observe: (result: ObservableResult, state: ServiceState) => void): void {
    meter.createObservableGauge(name, { description }).addCallback(observing(observe));
  }

  return {
    show(given) {
      read = given;
    },
  };
}

const dependencyCounts = [
  [metricNames.dependencyAsks, 'asks', 'How often the store, or an HTTP source of the policy in force, was asked'],
  [metricNames.dependencyCalls, 'calls', 'How many calls that came to: more than asks by the retries, fewer where a breaker was open'],
] as const;

function showNearCacheReads(result: ObservableResult, nearCache: NearCacheState | null): void {
  for (const [record, outcomes] of Object.entries(nearCache?.reads ?? {})) {
    for (const [outcome, count] of Object.entries(outcomes)) result.observe(count, { record, outcome });
  }
}
