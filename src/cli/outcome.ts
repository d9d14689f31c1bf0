/** What verbs say to the programs that run them. */

/** The verb ran, and found something wrong. */
export function foundProblems(): void {
  process.exitCode = 1;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
