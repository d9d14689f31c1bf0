/** How one policy takes the place of another: what the old one asks is let go of only with the old one. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { preparation } from '../../src/decision/reading.ts';
import { noSources } from '../../src/sources/sources.ts';
import { compileHere, createPolicyHolder, type PolicyHolder, type PolicySource } from '../../src/start/held-policy.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const file = 'test/http/policy.yaml';

test.each<[how: string, put: (holder: PolicyHolder, source: PolicySource) => Promise<{ readonly inForce: boolean }>]>([
  ['read', (holder, source) => holder.accept(source)],
  ['an older one that is fallen back to', (holder, source) => holder.fallBackTo(source, 0)],
])('a policy is in force in the turn in which its sources are opened, and the old ones retired: %s', async (_, put) => {
  const inForceAfterOpening = Promise.withResolvers<string | undefined>();
  const holder = createPolicyHolder(new VirtualClock(), compileHere, async () => {
    setImmediate(() => inForceAfterOpening.resolve(holder.current()?.artefact.revision));
    return noSources;
  });
  expect((await put(holder, { file, bytes: await readFile(file) })).inForce).toBe(true);
  const artefact = holder.current()?.artefact;
  expect(artefact && [...preparation(artefact)].length).toBeGreaterThan(0);
  expect(await inForceAfterOpening.promise).toBe(artefact?.revision);
});

test('a policy that cannot be prepared retires nothing', async () => {
  let opened = 0;
  const compile: typeof compileHere = async (bytes, options) => {
    const { artefact, problems } = await compileHere(bytes, options);
    return { artefact: artefact && { ...artefact, zones: { broken: null as never } }, problems };
  };
  const holder = createPolicyHolder(new VirtualClock(), compile, async () => {
    opened += 1;
    return noSources;
  });
  await expect(holder.accept({ file, bytes: await readFile(file) })).rejects.toThrow();
  expect(opened).toBe(0);
});
