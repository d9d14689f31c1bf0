/** The links of a subject, in as many questions at once as do no harm. */
const linksAtOnceMax = 32;

export async function inGroups<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += linksAtOnceMax) {
    results.push(...(await Promise.all(items.slice(from, from + linksAtOnceMax).map(work))));
  }
  return results;
}
