/** `stepwell cache-report`: what it is called with. */
import { Command, InvalidArgumentError } from 'commander';

export interface CacheReportOptions {
  readonly log?: string;
  readonly zipf?: number;
  readonly requests: number;
  readonly json?: true;
}

export const defaultZipf = 1;

export function cacheReportCommand(): Command {
  return new Command('cache-report')
    .description(
      'Tell what the cacheable half of a policy costs a shared cache: for each page and zone the attributes read, how many keys there are before ' +
        'and after they are collapsed into classes, how many different answers, and how often a cache would have one; and the zones whose ' +
        'variation causes more of the fetches than it changes of the answers. Exits 1 when the policy does not load, or some lines of a log could not be read.',
    )
    .argument('<policy>', 'a .yaml, .yml or .json policy')
    .option(
      '--log <file>',
      'traffic, one JSON object a line: { "query": "page=home&country=DE", "at": "2026-11-21T12:00:00Z" }; `at` may be left out',
    )
    .option(
      '--zipf <skew>',
      `without a log: the n-th most wanted key is asked for 1/n^skew as often as the first (${defaultZipf})`,
      number(0, 10),
    )
    .option('--requests <count>', 'for a page, in an hour; for a log, where its lines have no `at`', number(1, 1e12), 36_000)
    .option('--json', 'print one JSON object: { policy, revision, assumed, pages, costly }, and with a log { problems }')
    .action(async (path: string, options: CacheReportOptions) => {
      const { reportCaching } = await import('./report-caching.ts');
      await reportCaching(path, options);
    });
}

function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    // `Number` alone would also take 0x10 and blanks.
    if (/^(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`write a number from ${min} to ${max}`);
  };
}
