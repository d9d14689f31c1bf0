/** The policy of a running service, on real files, real watches and real threads. */
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { createSourceKeeper } from '../../src/sources/sources.ts';
import { CannotRun } from '../../src/start/cannot-run.ts';
import { lastGoodPolicyName, readLastGoodPolicy } from '../../src/start/last-good-policy.ts';
import { type OnPolicyPublished, openServicePolicy, type ServicePolicy } from '../../src/start/service-policy.ts';
import { type Clock, systemClock } from '../../src/time/clock.ts';
import { temporaryDirectory } from '../cli/run-stepwell.ts';

const text = await readFile('test/http/policy.yaml', 'utf8');
const broken = text.replace('stepwell: 1', 'stepwell: 7');
/** The same policy to a reader, another revision to the service. */
const renewed = (year: number): string => text.replace(/until: 20\d\d/g, `until: ${year}`);

const opened: ServicePolicy[] = [];
afterEach(async () => {
  for (const policy of opened.splice(0)) await policy.dispose();
});

interface Opening {
  readonly clock?: Clock;
  /** What HTTP sources may be asked. */
  readonly origins?: readonly string[];
}

async function open(path: string, keptIn: string | null, { clock = systemClock, origins = [] }: Opening = {}) {
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const at = (level: string) => (_: unknown, line?: string) => {
    lines.push(`${level} ${line}`);
    for (const wake of waiting.splice(0)) wake();
  };
  const logger = { info: at('info'), warn: at('warn'), error: at('error') } as never;
  const replaced: string[] = [];
  const onReplaced = ({ artefact }: { artefact: { revision: string } }) => void replaced.push(artefact.revision);
  const keeper = createSourceKeeper({ environment: {}, origins, networks: [], clock });
  const policy = await openServicePolicy({ path, keptIn, clock, logger, onReplaced, openSources: keeper.sourcesFor });
  opened.push(policy);
  onTestFinished(() => keeper.close());
  return {
    policy,
    lines,
    replaced,
    /** Resolves once a line that came after `from` lines matches. */
    async said(pattern: RegExp, from = 0) {
      while (!lines.slice(from).some((line) => pattern.test(line))) await new Promise<void>((resolve) => waiting.push(resolve));
    },
  };
}

/** A shop whose policy was in force once and is kept. */
async function keptShop(directory: string) {
  const path = join(directory, 'policy.yaml');
  const dataDir = join(directory, 'data');
  await writeFile(path, text);
  const { policy } = await open(path, dataDir);
  policy.follow();
  const { revision } = policy.current().artefact;
  await policy.dispose();
  return { path, dataDir, revision };
}

describe('the last good policy', () => {
  test.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['gone', (path) => rm(path), /there is no such file/],
    ['broken', (path) => writeFile(path, broken), /policy\.yaml:\d+:\d+: error/],
    ['empty', (path) => writeFile(path, ''), /the document is empty/],
    ['cut short', (path) => writeFile(path, text.slice(0, text.length / 2)), /error/],
    ['a directory', (path) => rm(path).then(() => mkdir(path)), /it is a directory/],
  ])('stands in, stale and told at error, where the file is %s', async (_, harm, why) => {
    await using directory = await temporaryDirectory();
    const { path, dataDir, revision } = await keptShop(directory.path);
    await harm(path);
    const { policy, lines } = await open(path, dataDir);
    expect(policy.current()).toMatchObject({ artefact: { revision }, stale: true });
    expect(policy.loads).toEqual({ in_force: 0, refused: 1 });
    const errors = lines.filter((line) => line.startsWith('error ')).join('\n');
    expect(errors).toMatch(why);
    expect(errors).toContain('the last good policy is in force instead and is stale');
  });

  test('gives way to the file as soon as that is mended, and is not replaced by a broken one', async () => {
    await using directory = await temporaryDirectory();
    const { path, dataDir, revision } = await keptShop(directory.path);
    await writeFile(path, broken);
    const { policy, replaced, said } = await open(path, dataDir);
    policy.follow();
    await writeFile(path, renewed(2091));
    await said(/^info the policy is in force/);
    expect(policy.current().stale).toBe(false);
    expect(policy.current().artefact.revision).not.toBe(revision);
    expect(replaced).toEqual([policy.current().artefact.revision]);
    expect(policy.loads).toEqual({ in_force: 1, refused: 1 });
    await writeFile(path, broken);
    await said(/^error the policy was not replaced/);
    await policy.dispose();
    const kept = await readLastGoodPolicy(dataDir);
    expect(kept.state === 'found' && Buffer.from(kept.policy.bytes).toString()).toBe(renewed(2091));
  });

  test('is judged by the day on which it was accepted: an approval that has expired since is told and served on', async () => {
    await using directory = await temporaryDirectory();
    const { path, dataDir, revision } = await keptShop(directory.path);
    const later: Clock = { ...systemClock, nowMs: () => Date.UTC(2120, 0, 1) };
    const { policy, lines } = await open(path, dataDir, { clock: later });
    expect(policy.current()).toMatchObject({ artefact: { revision }, stale: true });
    expect(lines.join('\n')).toMatch(/error .*expired/);
    expect(lines).toContainEqual(expect.stringMatching(/^warn approvals of the last good policy have expired/));
  });

  test('that is damaged is refused, and then the start is refused with both reasons', async () => {
    await using directory = await temporaryDirectory();
    const { path, dataDir } = await keptShop(directory.path);
    await rm(path);
    await writeFile(join(dataDir, lastGoodPolicyName), `${await readFile(join(dataDir, lastGoodPolicyName), 'utf8')} `);
    const failure = await open(path, dataDir).catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(failure.message).toContain('there is no such file');
    expect(failure.message).toMatch(/is damaged and is not used/);
  });

  test('that was never kept changes nothing: the start is refused for the one reason', async () => {
    await using directory = await temporaryDirectory();
    const failure = await open(join(directory.path, 'policy.yaml'), directory.path).catch((error) => error);
    expect(failure).toBeInstanceOf(CannotRun);
    expect(failure.message).toMatch(/^the policy `.*policy\.yaml` cannot be read: there is no such file$/);
  });

  test('that cannot be kept is a warning, and the service goes on', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    const { policy, said } = await open(path, path);
    policy.follow();
    await said(/^warn the policy cannot be kept for the next start/);
    expect(policy.current().stale).toBe(false);
  });
});

describe('a policy file that changes', () => {
  async function followed(path: string, more: Opening = {}, onPolicyPublished: OnPolicyPublished | null = null) {
    const shop = await open(path, null, more);
    shop.policy.follow(onPolicyPublished);
    return shop;
  }

  test('in place is a new policy, without a signal', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    const { policy, replaced, said } = await followed(path);
    await writeFile(path, renewed(2091));
    await said(/^info the policy is in force/);
    expect(replaced).toEqual([policy.current().artefact.revision]);
  });

  test('by a rename, as editors do it, is a new policy each time', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    const { lines, replaced, said } = await followed(path);
    for (const year of [2091, 2092, 2093]) {
      const from = lines.length;
      await writeFile(`${path}.new`, renewed(year));
      await rename(`${path}.new`, path);
      await said(/^info the policy is in force/, from);
    }
    expect(new Set(replaced).size).toBe(3);
  });

  test('by an exchange of links, as Kubernetes does it, is a new policy each time', async () => {
    await using directory = await temporaryDirectory();
    const at = (name: string) => join(directory.path, name);
    const publish = async (version: string, content: string) => {
      await mkdir(at(version));
      await writeFile(join(at(version), 'policy.yaml'), content);
      await symlink(version, at('..data_tmp'));
      await rename(at('..data_tmp'), at('..data'));
    };
    await publish('..v1', text);
    await symlink('..data/policy.yaml', at('policy.yaml'));
    const { lines, replaced, said } = await followed(at('policy.yaml'));
    for (const [version, year] of [['..v2', 2091] as const, ['..v3', 2092] as const]) {
      const from = lines.length;
      await publish(version, renewed(year));
      await said(/^info the policy is in force/, from);
    }
    expect(new Set(replaced).size).toBe(2);
  });

  test('to something broken, and then away, is told once each and makes the old one stale; the same text again makes it fresh', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    const { policy, lines, replaced, said } = await followed(path);
    const { artefact } = policy.current();
    await writeFile(path, broken);
    await said(/^error the policy was not replaced/);
    expect(policy.current()).toMatchObject({ artefact, stale: true, refused: [expect.any(String)] });
    const from = lines.length;
    await rm(path);
    await said(/there is no such file/, from);
    await said(/^error the policy was not replaced/, from);
    await writeFile(path, text);
    await said(/^info the policy is in force/);
    expect(policy.current()).toMatchObject({ artefact: { revision: artefact.revision }, stale: false });
    expect(policy.loads).toEqual({ in_force: 2, refused: 2 });
    expect(replaced).toEqual([]);
  });

  test('to its own head, which is a policy without zones, replaces nothing', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    const { policy, lines } = await open(path, null);
    const { artefact } = policy.current();
    await writeFile(path, text.slice(0, text.indexOf('pages:')));
    expect(await policy.reload()).toBe(false);
    expect(policy.current()).toMatchObject({ artefact, stale: true, refused: [expect.any(String)] });
    expect(lines.join('\n')).toMatch(/^error .*has no zones, and the one in force has some/m);
  });

  test('is noticed even where nothing tells of it, by looking now and then', async () => {
    await using directory = await temporaryDirectory();
    const { path, dataDir } = await keptShop(directory.path);
    const unmounted = join(directory.path, 'not mounted yet', 'policy.yaml');
    const { policy, said } = await open(unmounted, dataDir);
    expect(policy.current().stale).toBe(true);
    policy.follow();
    await mkdir(join(directory.path, 'not mounted yet'));
    await rename(path, unmounted);
    await said(/^info the policy is in force/);
    expect(policy.current().stale).toBe(false);
  });

  test('is read when somebody publishes that it changed; what is published is only that', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, text);
    let publish = (): void => {};
    let disposed = 0;
    const never: Clock = { ...systemClock, after: (ms, callback) => (ms > 5000 ? systemClock.after(ms, callback) : () => {}) };
    const { policy, said } = await followed(path, { clock: never }, (callback) => {
      publish = callback;
      return () => void disposed++;
    });
    await writeFile(path, renewed(2091));
    publish();
    await said(/^info the policy is in force/);
    const { loads } = policy;
    for (let index = 0; index < 100; index += 1) publish();
    await policy.reload();
    expect(loads).toEqual({ in_force: 3, refused: 0 });
    await policy.dispose();
    expect(disposed).toBe(1);
  });
});

describe('a policy with HTTP sources', () => {
  const asking = (origin: string) => {
    const source = `  audience: { source: http, url: '${origin}/{subject}', map: { audiences: response.names } }`;
    return text.replace('dependencies:', `dependencies:\n${source}`);
  };
  const may = 'https://aud.example';
  const mayNot = /dependency `audience` asks `https:\/\/other\.example`, which may not be asked: add it to `STEPWELL_HTTP_ORIGINS`/;

  test('is in force with its sources opened, where they may be asked', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, asking(may));
    const { policy } = await open(path, null, { origins: [may] });
    expect(policy.current()).toMatchObject({ stale: false, refused: [], sources: { audience: expect.anything(), model: null } });
  });

  test('does not replace one that works where a source may not be asked, and says why', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, asking(may));
    const { policy, lines } = await open(path, null, { origins: [may] });
    const { artefact, sources } = policy.current();
    await writeFile(path, asking('https://other.example'));
    expect(await policy.reload()).toBe(false);
    expect(policy.current()).toEqual({ artefact, sources, stale: true, purge: null, refused: [expect.stringMatching(mayNot)] });
    expect(lines.join('\n')).toMatch(mayNot);
  });

  test('does not start a service that may not ask it', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'policy.yaml');
    await writeFile(path, asking('https://other.example'));
    await expect(open(path, null, { origins: [may] })).rejects.toThrow(mayNot);
  });
});
