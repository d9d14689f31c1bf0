/** An instant as the wire has it: RFC 3339 in UTC, to the millisecond. */
export function instantText(atMs: number): string {
  return new Date(atMs).toISOString();
}
