import { expect, test } from 'vitest';
import { countsOnly, mergeMetrics } from '../../src/telemetry/merge-metrics.ts';

const worker = (decisions: number, expired: number, extra = '') => `# HELP stepwell_decisions_total Zones decided
# TYPE stepwell_decisions_total counter
stepwell_decisions_total{zone="hero",reason="none"} ${decisions}
# HELP stepwell_approvals_expired Approvals that have run out
# TYPE stepwell_approvals_expired gauge
stepwell_approvals_expired ${expired}
# TYPE stepwell_wait_milliseconds histogram
stepwell_wait_milliseconds_bucket{le="1"} ${decisions}
stepwell_wait_milliseconds_bucket{le="+Inf"} ${decisions + 1}
stepwell_wait_milliseconds_sum 0.5
stepwell_wait_milliseconds_count ${decisions + 1}
${extra}`;

test('counts and histograms of all processes are added up, and the highest gauge stands', () => {
  expect(mergeMetrics([worker(2, 1), worker(40, 0)]).split('\n')).toEqual([
    '# HELP stepwell_decisions_total Zones decided',
    '# TYPE stepwell_decisions_total counter',
    'stepwell_decisions_total{zone="hero",reason="none"} 42',
    '# HELP stepwell_approvals_expired Approvals that have run out',
    '# TYPE stepwell_approvals_expired gauge',
    'stepwell_approvals_expired 1',
    '# TYPE stepwell_wait_milliseconds histogram',
    'stepwell_wait_milliseconds_bucket{le="1"} 42',
    'stepwell_wait_milliseconds_bucket{le="+Inf"} 44',
    'stepwell_wait_milliseconds_sum 1',
    'stepwell_wait_milliseconds_count 44',
    '',
  ]);
});

test('a series that only one process has stands beside its family', () => {
  const merged = mergeMetrics([
    worker(1, 0),
    worker(1, 0, '# TYPE stepwell_decisions_total counter\nstepwell_decisions_total{zone="foot er} \\" x",reason="overload"} 3\n'),
  ]);
  const lines = merged.split('\n');
  const place = lines.indexOf('stepwell_decisions_total{zone="foot er} \\" x",reason="overload"} 3');
  expect(lines[place - 1]).toBe('stepwell_decisions_total{zone="hero",reason="none"} 2');
});

test('one process is passed on as it is, and none is nothing', () => {
  expect(mergeMetrics([worker(7, 1)])).toBe(worker(7, 1));
  expect(mergeMetrics([])).toBe('');
  expect(mergeMetrics(['not metrics at all'])).toBe('');
});

test('of a process that has ended its counts are left, and not how it stood', () => {
  expect(countsOnly(worker(7, 1))).toBe(worker(7, 1).replace(/.*stepwell_approvals_expired.*\n/g, ''));
  expect(mergeMetrics([worker(1, 0), countsOnly(worker(7, 1))])).toBe(
    worker(8, 0)
      .replace(/^(.*"\+Inf".*|.*_count) 9$/gm, '$1 10')
      .replace('_sum 0.5', '_sum 1'),
  );
});
