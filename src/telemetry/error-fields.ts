/**
 * All that a log line may say of an error: its name, its code and where in our code it was raised. The message and every other
 * member may hold what a caller sent or what a store was asked for, which is somebody's.
 */
export interface ErrorFields {
  readonly name: string | null;
  readonly code: string | number | null;
  readonly at: string | null;
}

/** For anything that was thrown, as a serializer must: it never throws itself. */
export function errorFields(thrown: unknown): ErrorFields {
  const { name, code, stack, message } = (thrown ?? {}) as Readonly<Partial<Record<keyof Error | 'code', unknown>>>;
  return { name: wordOf(name), code: typeof code === 'number' ? code : wordOf(code), at: placeInOurCode(stack, message) };
}

/** A name or a code is one word of a program. Anything else in its place may be a person's. */
function wordOf(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Za-z_$][\w$-]{0,63}$/.test(value) ? value : null;
}

/** A stack begins with the message, which might look like a place. */
function placeInOurCode(stack: unknown, message: unknown): string | null {
  if (typeof stack !== 'string') return null;
  const frames = typeof message === 'string' ? stack.replace(message, () => '') : stack;
  return /^\s+at .*\/(src\/[\w./-]+:\d+:\d+)\)?$/m.exec(frames)?.[1] ?? null;
}
