/** Runs one job of autocannon that comes as a message, and sends back what was found. Latencies are kept whole: autocannon rounds them to milliseconds. */
import autocannon from 'autocannon';
import type { LoadJob, LoadResult } from './load.ts';
import { quantile } from './statistics.ts';

const samplesMax = 2_000_000;

process.once('message', async (job: LoadJob) => {
  process.send?.(await fire(job));
  process.disconnect?.();
});

function fire({ url, connections, seconds, bodies }: LoadJob): Promise<LoadResult> {
  const latenciesMs = new Float64Array(samplesMax);
  let answers = 0;
  let firstAtMs = 0;
  let lastAtMs = 0;
  let client = 0;
  const { pathname } = new URL(url);
  const headers = { 'content-type': 'application/json' };
  const requests = bodies.map((body): autocannon.Request => ({ method: 'POST', path: pathname, headers, body }));
  return new Promise((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections,
        duration: seconds,
        setupClient: (each) => {
          const start = Math.floor((client++ * requests.length) / connections) % requests.length;
          each.setRequests([...requests.slice(start), ...requests.slice(0, start)]);
        },
      },
      (error, result) => {
        if (error) return reject(error);
        const kept = latenciesMs.subarray(0, Math.min(answers, samplesMax)).sort();
        resolve({
          requests: answers,
          requestsPerSecond: (answers - 1) / ((lastAtMs - firstAtMs) / 1000),
          p50Ms: quantile(kept, 0.5),
          p99Ms: quantile(kept, 0.99),
          failures: result.non2xx + result.errors + result.timeouts,
        });
      },
    );
    instance.on('response', (_client, _status, _bytes, responseTimeMs) => {
      lastAtMs = performance.now();
      if (answers === 0) firstAtMs = lastAtMs;
      latenciesMs[answers % samplesMax] = responseTimeMs;
      answers += 1;
    });
  });
}
