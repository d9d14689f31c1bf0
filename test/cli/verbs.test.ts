/** The verbs as people and programs meet them: real processes, their streams and their exit codes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { keySetOf } from '../../src/identity/key-set.ts';
import { createDemoIssuer } from '../../src/identity/mint.ts';
import { proofTargetsOf } from '../../src/identity/proof-targets.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { systemClock } from '../../src/time/clock.ts';
import { root, startStepwell, stepwell, temporaryDirectory } from './run-stepwell.ts';

const policy = `
stepwell: 1
policy: shop
attributes:
  profile:
    loyalty: { type: string, values: [none, gold], class: S1 }
    orders: { type: int, class: S1 }
  session:
    last_category: { type: string, class: S1 }
audiences:
  lapsed: { class: S1 }
deadline: { defaultMs: 60, minMs: 5, maxMs: 500 }
pages:
  home: { zones: [hero] }
zones:
  hero:
    kind: content
    ladder:
      - tier: user
        choose: [{ when: 'profile.loyalty == "gold"', variant: gold }]
      - { tier: anonymous, variant: plain, approved: { by: Brand, on: 2020-01-01, until: 2999-01-01 } }
variants:
  gold: { content: { headline: gold } }
  plain: { content: { headline: plain } }
`;

const anyPorts = { STEPWELL_PORT: '0', STEPWELL_MANAGEMENT_PORT: '0' };

async function shop() {
  const directory = await temporaryDirectory();
  const policyPath = join(directory.path, 'shop.yaml');
  await writeFile(policyPath, policy);
  const dataDir = join(directory.path, 'data');
  return { directory, policyPath, dataDir, env: { STEPWELL_POLICY: policyPath, STEPWELL_DATA_DIR: dataDir } };
}

describe('every verb', () => {
  test.each([[[]], [['serve']], [['load']], [['lint']], [['token']], [['audit']], [['cache-report']]])(
    'stepwell %j --help explains itself and exits 0',
    async (verb) => {
      const { code, stdout } = await stepwell([...verb, '--help']);
      expect(code).toBe(0);
      expect(stdout).toContain('Usage: stepwell');
    },
  );

  test.each([
    [['dance']],
    [['lint']],
    [['audit']],
    [['lint', 'a.yaml', 'b.yaml']],
    [['token']],
    [['token', '--sub', 'ada', '--ttl', '3601']],
    [['token', '--sub', '']],
    [['token', '--sub', 'ada', '--bind', '--proof-target', 'here']],
    [['load', '--colour', 'x']],
  ])('stepwell %j is called wrongly: exits 2, says so on standard error and nothing on standard output', async (args) => {
    const { code, stdout, stderr } = await stepwell(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('error');
  });

  test.each([[['serve']], [['token', '--sub', 'ada']], [['load', '-']]])(
    'stepwell %j names a variable that cannot be used and exits 2',
    async (args) => {
      const { code, stderr } = await stepwell(args, { env: { STEPWELL_PORT: 'abc' } });
      expect(code).toBe(2);
      expect(stderr).toContain('STEPWELL_PORT is `abc`');
    },
  );

  test('serve lists every variable', async () => {
    const { stdout } = await stepwell(['serve', '--help']);
    expect(stdout).toContain('STEPWELL_REDIS_URL');
    expect(stdout).toContain('OTEL_');
  });

  test('serve says what goes without proof targets', async () => {
    const { stdout } = await stepwell(['serve', '--help']);
    expect(stdout).toMatch(/STEPWELL_PROOF_TARGETS .*absent: none, so no class S2 or S3/);
  });
});

describe('a data directory that cannot be used', () => {
  test.each([['token', '--sub', 'ada'], ['serve'], ['load', '-']].map((args) => [args]))(
    'stepwell %j says why and exits 2',
    async (args) => {
      await using directory = await temporaryDirectory();
      const dataDir = join(directory.path, 'file');
      await writeFile(dataDir, '');
      const { code, stdout, stderr } = await stepwell(args, { env: { STEPWELL_DATA_DIR: dataDir, ...anyPorts } });
      expect({ code, stdout, stderr }).toEqual({
        code: 2,
        stdout: '',
        stderr: `stepwell: STEPWELL_DATA_DIR \`${dataDir}\` cannot be used: something else has that name\n`,
      });
    },
  );

  test.runIf(process.platform === 'linux')('is said at once where a file system takes no directories', async () => {
    const { code, stderr } = await stepwell(['token', '--sub', 'ada'], { env: { STEPWELL_DATA_DIR: '/proc/nope' } });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'stepwell: STEPWELL_DATA_DIR `/proc/nope` cannot be used: no directory can be made there\n',
    });
  });

  test.each([['token', '--sub', 'ada'], ['serve']].map((args) => [args]))(
    'stepwell %j names a damaged issuer key, shows nothing of it and exits 2',
    async (args) => {
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'demo-issuer.json');
      await writeFile(path, '{"d":"hunter2');
      const { code, stderr } = await stepwell(args, { env: { STEPWELL_DATA_DIR: directory.path, ...anyPorts } });
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `stepwell: the demo issuer's key in \`${path}\` is damaged: delete it, and a new one is made\n`,
      });
    },
  );
});

describe('lint', () => {
  test('a policy that loads exits 0 and names its revision', async () => {
    await using directory = (await shop()).directory;
    const { code, stdout } = await stepwell(['lint', join(directory.path, 'shop.yaml')]);
    expect(stdout).toMatch(/loads as `shop`, revision [0-9a-f]{12}/);
    expect(code).toBe(0);
  });

  test('an error is printed as file:line:column and exits 1', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    await writeFile(policyPath, policy.replace('profile.loyalty ==', 'profile.loyalti =='));
    const { code, stdout } = await stepwell(['lint', policyPath]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/shop\.yaml:20:\d+: error: .*loyalt/);
  });

  test('a warning alone exits 0', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    const offer = 'offers:\n  unused: { tags: [nobody], class: S1, variant: gold, propensityPpm: 1, value: 1 }\n';
    await writeFile(policyPath, policy + offer);
    const { code, stdout } = await stepwell(['lint', policyPath, '--json']);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ policy: 'shop', errors: 0, problems: [{ severity: 'warning' }] });
    expect(code).toBe(0);
  });

  test('--json is one object that a program can read, wrong policy or right', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    await writeFile(policyPath, 'stepwell: 2\n');
    const { code, stdout } = await stepwell(['lint', policyPath, '--json']);
    const report = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(report).toMatchObject({ file: policyPath, policy: null, revision: null });
    expect(report.errors).toBeGreaterThan(0);
    expect(report.problems[0]).toMatchObject({ severity: 'error', line: expect.any(Number), column: expect.any(Number) });
  });

  test('problems come in the order of the file, and a policy without any brings one line', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    expect((await stepwell(['lint', policyPath])).stdout).toMatch(/^[^\n]+ \(0 errors, 0 warnings\)\n$/);
    // What is checked last stands first, and the other way round.
    const wrong = policy
      .replace('policy: shop', 'policy: shop\npages: { home: { zones: [nowhere] } }')
      .replace('pages:\n  home: { zones: [hero] }\n', '');
    await writeFile(policyPath, wrong.replace('type: int', 'type: float').replace('variant: gold }', 'variant: gould, colour: red }'));
    const { code, stdout } = await stepwell(['lint', policyPath]);
    const places = stdout.split('\n').flatMap((line) => /:(\d+):(\d+): error: /.exec(line)?.slice(1, 3).map(Number) ?? []);
    const inOrder = places.filter((_, index) => index % 2 === 0).map((line, index) => line * 1_000 + (places[2 * index + 1] ?? 0));
    expect(inOrder.length).toBeGreaterThanOrEqual(4);
    expect(inOrder).toEqual(inOrder.toSorted((a, b) => a - b));
    expect(code).toBe(1);
  });

  test('a syntax error of a .json policy has its place and what to write', async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, 'shop.json');
    await writeFile(path, '{\n  "stepwell": 1,\n  "policy": "shop",\n}\n');
    const { code, stdout } = await stepwell(['lint', path]);
    expect(stdout).toBe(
      `${path}:3:19: error: this is not JSON: remove the comma before \`}\`\n${path}: does not load (1 error, 0 warnings)\n`,
    );
    expect(code).toBe(1);
  });

  test('what is marked for devices and stays off them is named with the reason, and is no fault', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    const choices = `choose:
          - { when: 'request.country == "CH"', variant: gold }
          - { when: 'request.country < "F"', variant: gold, device: true }
          - { when: 'request.country == "DE"', variant: gold, device: true }`;
    const marked = policy
      .replace(/attributes:\n/, 'attributes:\n  request: { country: { type: string, class: S0 } }\n')
      .replace('      - { tier: anonymous', `      - tier: segment\n        ${choices}\n$&`);
    await writeFile(policyPath, marked);
    const { code, stdout } = await stepwell(['lint', policyPath]);
    const why = 'it puts texts in order, and engines differ in that';
    const note = `${policyPath}: note: rule 2 on the segment rung of zone \`hero\` is marked \`device: true\` and stays off devices: ${why}`;
    expect(stdout.split('\n').filter((line) => line.includes('note:'))).toEqual([note]);
    expect(code).toBe(0);
    const report = JSON.parse((await stepwell(['lint', policyPath, '--json'])).stdout);
    expect(report.keptFromDevices).toEqual([{ zone: 'hero', tier: 'segment', rule: 1, offer: null, why: 'text_order' }]);
    await writeFile(policyPath, `${marked}device: { enabled: false }\n`);
    expect((await stepwell(['lint', policyPath])).stdout).not.toContain('note:');
  });

  test('what would be too large for devices is said beforehand, and is no fault', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    const approved = 'approved: { by: Brand, on: 2020-01-01, until: 2999-01-01 }';
    const zone = (index: number) => `  rail${index}: { kind: content, ladder: [{ tier: anonymous, variant: big${index}, ${approved} }] }\n`;
    const variant = (index: number) => `  big${index}: { content: ${'x'.repeat(4_000)} }\n`;
    const of = (count: number, make: (index: number) => string) => Array.from({ length: count }, (_, index) => make(index)).join('');
    const withZones = (count: number) =>
      policy.replace('zones:\n', `zones:\n${of(count, zone)}`).replace('variants:\n', `variants:\n${of(count, variant)}`);
    await writeFile(policyPath, withZones(120));
    const { code, stdout } = await stepwell(['lint', policyPath]);
    expect(stdout).toContain(`${policyPath}: note: what the policy lets leave for devices is larger than the 524288 characters`);
    expect(code).toBe(0);
    expect(JSON.parse((await stepwell(['lint', policyPath, '--json'])).stdout).deviceArtefactTooLarge).toBe(true);
    await writeFile(policyPath, withZones(60));
    expect(JSON.parse((await stepwell(['lint', policyPath, '--json'])).stdout).deviceArtefactTooLarge).toBe(false);
  });

  test('a reader that leaves after the first line ends it quietly, with the code of what was found', async () => {
    const { directory, policyPath } = await shop();
    await using _ = directory;
    const unknown = Array.from({ length: 3_000 }, (_, index) => `  v${index}: { content: 1, colour${index}: 2 }\n`);
    await writeFile(policyPath, policy + unknown.join(''));
    const child = startStepwell(['lint', policyPath]);
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  });

  test.runIf(existsSync('/dev/full')).each([
    ['lint', 'examples/retail.yaml'],
    ['cache-report', 'test/http/policy.yaml', '--json'],
    ['fallbacks', 'examples/retail.yaml'],
  ])('a full disk under what %s prints is one sentence, and exits 2', async (...args) => {
    await using full = await open('/dev/full', 'w');
    const program = [join(root, 'src/cli/main.ts'), ...args];
    const child = spawn(process.execPath, program, {
      cwd: root,
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', full.fd, 'pipe'],
    });
    let stderr = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    expect((await once(child, 'close'))[0]).toBe(2);
    expect(stderr).toBe('stepwell: standard output cannot be written: the disk is full\n');
  });

  test('nobody to hear of a mistake changes no exit code', async () => {
    const child = startStepwell(['lint', '/nowhere/policy.yaml']);
    child.stderr.destroy();
    child.stdout.resume();
    expect((await once(child, 'close'))[0]).toBe(2);
  });

  test('a file that is not there exits 2', async () => {
    const { code, stderr } = await stepwell(['lint', '/nowhere/policy.yaml']);
    expect(code).toBe(2);
    expect(stderr).toContain('`/nowhere/policy.yaml` cannot be read: there is no such file');
  });
});

describe('token', () => {
  test('mints what the demo issuer of the same data directory vouches for', async () => {
    await using directory = await temporaryDirectory();
    const env = { STEPWELL_DATA_DIR: directory.path };
    const { code, stdout } = await stepwell(['token', '--sub', 'ada', '--gen', '3', '--auth-age', '60'], { env });
    expect(code).toBe(0);

    const { jwks } = await createDemoIssuer(directory.path);
    const verifier = createTokenVerifier({
      keySet: await keySetOf(jwks),
      issuer: 'stepwell-demo',
      audience: 'stepwell',
      clock: systemClock,
    });
    const { evidence } = await verifier.verify(stdout.trim(), { nowMs: systemClock.nowMs() });
    expect(evidence).toMatchObject({ state: 'verified', subject: 'ada', generation: 3, expired: false, method: 'deterministic' });
  });

  test('keeps its key where only its owner can read it', async () => {
    await using directory = await temporaryDirectory();
    await stepwell(['token', '--sub', 'ada'], { env: { STEPWELL_DATA_DIR: directory.path } });
    expect((await stat(join(directory.path, 'demo-issuer.json'))).mode & 0o077).toBe(0);
  });

  test('--json says whose it is and until when', async () => {
    await using directory = await temporaryDirectory();
    const { stdout } = await stepwell(['token', '--sub', 'ada', '--ttl', '60', '--json'], { env: { STEPWELL_DATA_DIR: directory.path } });
    expect(JSON.parse(stdout)).toEqual({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      subject: 'ada',
      issuer: 'stepwell-demo',
      audience: 'stepwell',
      expiresAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  test('--bind prints a proof with it, for the demo service or for the address that is named', async () => {
    await using directory = await temporaryDirectory();
    const env = { STEPWELL_DATA_DIR: directory.path, STEPWELL_PORT: '8123' };
    const { jwks } = await createDemoIssuer(directory.path);
    const proved = async (args: readonly string[], target: string) => {
      const { stdout } = await stepwell(['token', '--sub', 'ada', '--bind', ...args], { env });
      const [token = '', proof] = stdout.split('\n');
      const parties = { issuer: 'stepwell-demo', audience: 'stepwell', clock: systemClock };
      const verifier = createTokenVerifier({ keySet: await keySetOf(jwks), proofTargets: proofTargetsOf([target]), ...parties });
      return (await verifier.verify(token, { proof })).proof !== null;
    };
    expect(await proved([], 'http://127.0.0.1:8123/v1/decide')).toBe(true);
    expect(await proved(['--proof-target', 'https://a.example/x'], 'https://a.example/x')).toBe(true);
    expect(await proved([], 'https://a.example/x')).toBe(false);
  });

  test('speaks for the demo only', async () => {
    const { directory, env } = await shop();
    await using _ = directory;
    const { code, stderr } = await stepwell(['token', '--sub', 'ada'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('your own issuer');
  });
});

describe('load', () => {
  const lines = [
    { kind: 'profile', subject: 'ada', attributes: { loyalty: 'gold', orders: 3 }, audiences: ['lapsed'], ttlSeconds: 3600 },
    { kind: 'identity', namespace: 'device', value: 'd-one-1', subject: 'ada', method: 'deterministic', confidencePpm: 1_000_000 },
    { kind: 'consent', subject: 'ada', useCases: { offers: 'granted' }, recordedAt: '2026-11-01T00:00:00Z' },
    { kind: 'session', attributes: { last_category: 'shoes' } },
  ];

  test('writes every kind of record into the store that the environment names', async () => {
    const { directory, dataDir, env } = await shop();
    await using _ = directory;
    const file = join(directory.path, 'data.ndjson');
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
    const { code, stdout } = await stepwell(['load', file, '--json'], { env });
    expect(JSON.parse(stdout)).toEqual({
      file,
      lines: 4,
      loaded: 4,
      failed: 0,
      sessions: [{ line: 4, sessionId: expect.stringMatching(/^s1\./), expiresAt: expect.any(String) }],
      problems: [],
    });
    expect(code).toBe(0);

    const store = openEmbeddedStore({ directory: dataDir, clock: systemClock });
    try {
      expect(await store.getProfile('ada')).toMatchObject({ attributes: { loyalty: 'gold', orders: 3 }, audiences: ['lapsed'] });
    } finally {
      await store.close();
    }
  });

  test('reports a bad line with its number and loads the rest', async () => {
    const { directory, env } = await shop();
    await using _ = directory;
    const secret = 'hunter2';
    const input = [
      JSON.stringify(lines[0]),
      'not json',
      '',
      JSON.stringify({ ...lines[0], attributes: { loyalty: secret } }),
      JSON.stringify({ ...lines[0], attributes: { shoe_size: 43 } }),
      JSON.stringify({ kind: 'wish', subject: 'ada' }),
      JSON.stringify({ kind: 'profile' }),
      '[]',
      JSON.stringify({ kind: 'profile', subject: 'x', attributes: { loyalty: 'x'.repeat(300_000) } }),
      '{"kind":"consent","subject":"ada","useCases":{"offers":"denied","offers":"granted"},"recordedAt":"2026-11-01T00:00:00Z"}',
      JSON.stringify(lines[2]),
      JSON.stringify({ ...lines[2], recordedAt: '2999-01-01T00:00:00Z' }),
    ].join('\r\n');
    const { code, stdout, stderr } = await stepwell(['load', '-', '--json'], { env, input });
    const report = JSON.parse(stdout);
    expect(code).toBe(1);
    expect(report).toMatchObject({ loaded: 2, failed: 9 });
    expect(report.problems.map(({ line }: { line: number }) => line)).toEqual([2, 4, 5, 6, 7, 8, 9, 10, 12]);
    expect(stdout + stderr).not.toContain(secret);
    expect(stdout).toContain('shoe_size');
  });

  test('tells a person in lines that an editor can follow', async () => {
    const { directory, env } = await shop();
    await using _ = directory;
    const { code, stdout, stderr } = await stepwell(['load', '-'], { env, input: `${JSON.stringify(lines[0])}\n{}\n` });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^-:2: \/kind: this is no kind of record: write one of profile, /);
    expect(stdout).toBe('-: 1 loaded, 1 not\n');
  });

  test.each([
    [['load', '/nowhere.ndjson'], {}, 'there is no such file'],
    [['load', root], {}, 'it is a directory'],
    [['load', '-'], { STEPWELL_REDIS_URL: 'redis://127.0.0.1:1' }, 'the store does not answer'],
    [['load', '-'], { STEPWELL_POLICY: '/nowhere.yaml' }, 'STEPWELL_POLICY'],
  ])('%j with %j cannot run: exits 2 and says why', async (args, more, why) => {
    const { directory, env } = await shop();
    await using _ = directory;
    const { code, stderr } = await stepwell(args, { env: { ...env, ...more } });
    expect(stderr).toContain(why);
    expect(code).toBe(2);
  });
});
