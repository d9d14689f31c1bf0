/** Work that comes in pieces, for whoever has nothing else to do between one and the next. */
export function atOnce<T>(work: Generator<undefined, T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}
