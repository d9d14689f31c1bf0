/**
 * Ends a test run with what failed, a line each with its first error, and one line that a person and a program read alike:
 * `N passed, N failed`, and `, N skipped` where some were. A long run also says every half minute how far it is.
 */
import type { Reporter, TestModule } from 'vitest/node';

const progressEveryMs = 30_000;

export class TallyReporter implements Reporter {
  #startedAtMs = 0;
  #modulesTotal = 0;
  #modulesEnded = 0;
  #running = new Set<string>();
  #progress: NodeJS.Timeout | undefined;

  onTestRunStart(specifications: readonly unknown[]): void {
    this.#startedAtMs = performance.now();
    this.#modulesTotal = specifications.length;
    if (process.env.STEPWELL_TEST_LONG === '1') this.#progress = setInterval(() => this.#sayProgress(), progressEveryMs);
  }

  onTestModuleStart(module: TestModule): void {
    this.#running.add(module.relativeModuleId);
  }

  onTestModuleEnd(module: TestModule): void {
    this.#running.delete(module.relativeModuleId);
    this.#modulesEnded += 1;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    clearInterval(this.#progress);
    const failures = failuresOf(modules, unhandledErrors);
    if (failures.length > 0) console.log(`\nWhat failed:\n${failures.map((failure) => `  ${failure}`).join('\n')}`);
    console.log(`\n${tally(modules, unhandledErrors.length)}`);
  }

  #sayProgress(): void {
    const minutes = ((performance.now() - this.#startedAtMs) / 60_000).toFixed(1);
    const running = [...this.#running].join(', ');
    console.log(`… ${minutes} min: ${this.#modulesEnded} of ${this.#modulesTotal} test files done, running ${running}`);
  }
}

interface Failure {
  readonly message?: unknown;
}

/** So that the reason is among the last lines, however much was printed meanwhile. */
function failuresOf(modules: readonly TestModule[], errorsOutsideTests: readonly unknown[]): string[] {
  const failures: string[] = [];
  const add = (name: string, errors: readonly Failure[]): void => {
    failures.push(`${name}: ${firstLine(errors[0]?.message)}`);
  };
  for (const module of modules) {
    const file = module.relativeModuleId;
    if (module.errors().length > 0) add(file, module.errors());
    for (const suite of module.children.allSuites()) if (suite.errors().length > 0) add(`${file} > ${suite.fullName}`, suite.errors());
    for (const test of module.children.allTests('failed')) add(`${file} > ${test.fullName}`, test.result().errors ?? []);
  }
  for (const error of errorsOutsideTests) add('outside every test', [error as Failure]);
  return failures;
}

const lineCharsMax = 300;

function firstLine(message: unknown): string {
  return (typeof message === 'string' ? message : 'without a message').split('\n', 1).join('').slice(0, lineCharsMax);
}

/** A file that could not be loaded, a hook that failed and an error outside every test each count as one failure. */
function tally(modules: readonly TestModule[], errorsOutsideTests: number): string {
  const counts = { passed: 0, failed: errorsOutsideTests, skipped: 0, pending: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) counts[test.result().state] += 1;
    const suitesFailed = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
    counts.failed += suitesFailed + (module.errors().length > 0 ? 1 : 0);
  }
  const skipped = counts.skipped + counts.pending;
  return `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
