/** What a service lets out while it answers, wherever it goes. */
export interface Observed {
  /** Status, headers and body of each answer. */
  readonly answers: readonly string[];
  readonly logLines: readonly string[];
  readonly spans: readonly unknown[];
  readonly metrics: readonly string[];
}
