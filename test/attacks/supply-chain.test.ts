/** What is installed is what was looked at: locked, whole, above the floors, and running nothing at install but what is named. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../cli/run-stepwell.ts';
import { testPackages } from '../support/packages.ts';

interface Locked {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly cpu?: readonly string[];
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

interface Manifest {
  readonly allowScripts?: Readonly<Record<string, boolean>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** What is installed on its own: the service, or what single suites and examples are tried against. */
interface Installed {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly lock: { readonly lockfileVersion: number; readonly packages: Readonly<Record<string, Locked>> };
  readonly locked: readonly (readonly [path: string, entry: Locked])[];
  /** Lines of its `.npmrc`. */
  readonly settings: readonly string[];
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const lockfiles = globSync('**/package-lock.json', { cwd: root, exclude: ['**/node_modules', '**/.*'] }).sort();
const installs = lockfiles.map((path): Installed => {
  const folder = dirname(path);
  const lock = JSON.parse(read(path)) as Installed['lock'];
  return {
    folder,
    manifest: JSON.parse(read(join(folder, 'package.json'))) as Manifest,
    lock,
    locked: Object.entries(lock.packages).filter(([inside]) => inside !== ''),
    settings: read(join(folder, '.npmrc')).trim().split('\n'),
  };
});
const service = installs.find(({ folder }) => folder === '.') as Installed;
const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? '';

interface Floor {
  readonly name: string;
  readonly atLeast: string;
}

/** The table that people read is the one that is held. */
const floors: readonly Floor[] = [...read('docs/hardening.md').matchAll(/^\| `([@\w/-]+)` +\| (\d+\.\d+\.\d+) +\|/gm)].map(
  ([, name = '', atLeast = '']) => ({
    name,
    atLeast,
  }),
);
const forbidden = [...(/^Never here.*$/m.exec(read('docs/hardening.md'))?.[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

function isBelow(version: string, floor: string): boolean {
  const [left, right] = [version, floor].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const differing = left.findIndex((part, index) => part !== right[index]);
  return differing >= 0 && (left[differing] ?? 0) < (right[differing] ?? 0);
}

function belowFloor(packages: readonly (readonly [string, Pick<Locked, 'version'>])[]): readonly string[] {
  return packages.flatMap(([path, { version }]) =>
    floors.filter(({ name, atLeast }) => name === nameOf(path) && isBelow(version, atLeast)).map(({ name }) => `${name} ${version}`),
  );
}

/** Of a platform that the lockfile was not made on, npm keeps no checksum: none of them is what the image runs on. */
function isForAnotherPlatform({ optional = false, os = [], cpu = [], libc = [] }: Locked, name: string): boolean {
  if (!optional) return false;
  const isLinux = os.length === 0 || os.includes('linux');
  const isGlibc = !libc.includes('musl') && !/musl|android/.test(name);
  const isServers = cpu.some((one) => one === 'x64' || one === 'arm64');
  return !(isLinux && isGlibc && isServers);
}

it('looks at the lockfile of the service, and at every other there is', () => {
  expect(lockfiles).toContain('package-lock.json');
  for (const { folder } of testPackages) expect(lockfiles).toContain(join(folder, 'package-lock.json'));
});

describe.each(installs)('the lockfile of $folder', ({ manifest, lock, locked }) => {
  it('names one version and a checksum for every package, and no place: whose registry it is, the installer alone says', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(locked.length).toBeGreaterThan(0);
    for (const [path, entry] of locked) {
      expect(entry.resolved, path).toBe(undefined);
      expect(entry.link ?? false, path).toBe(false);
      if (!isForAnotherPlatform(entry, path)) expect(entry.integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    }
  });

  it('holds nothing below the floors, and none of those that are never here', () => {
    expect(belowFloor(locked)).toEqual([]);
    expect(locked.map(([path]) => nameOf(path)).filter((name) => forbidden.includes(name))).toEqual([]);
  });

  it('is asked for in exact versions', () => {
    for (const [name, wanted] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      // `npm:` is another package, or another version, under a name of its own.
      const version = /^(?:npm:@?[^@]+@)?(\d+\.\d+\.\d+)$/.exec(wanted)?.[1];
      expect(version, name).toBeDefined();
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });
});

describe('the floors', () => {
  it('are a table that is not empty, and each is of something that the service has', () => {
    expect(service.locked.length).toBeGreaterThan(100);
    expect(floors.map(({ name }) => name)).toEqual(expect.arrayContaining(['fastify', 'ioredis', 'jose', 'undici', 'node']));
    const names = service.locked.map(([path]) => nameOf(path));
    expect(floors.filter(({ name }) => !names.includes(name))).toEqual([]);
    expect(forbidden).toHaveLength(5);
  });

  it('are compared by number, in the last place too, and not by letters', () => {
    expect(belowFloor([['node_modules/fastify', { version: '5.8.4' }]])).toEqual(['fastify 5.8.4']);
    expect(belowFloor([['a/node_modules/ioredis', { version: '5.11.0' }]])).toEqual(['ioredis 5.11.0']);
    expect(belowFloor([['node_modules/fastify', { version: '5.12.0' }]])).toEqual([]);
  });
});

const runningIn = ({ locked }: Installed): readonly string[] => [
  ...new Set(locked.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path))),
];

describe.each(installs)('an install of $folder', (installed) => {
  const { allowScripts = {} } = installed.manifest;

  it('runs nothing but what is named', () => {
    expect(Object.keys(allowScripts)).toEqual(expect.arrayContaining([...runningIn(installed)]));
    const allowed = Object.keys(allowScripts).filter((name) => allowScripts[name] !== false);
    expect(['lmdb', 'msgpackr-extract', 'node']).toEqual(expect.arrayContaining(allowed));
  });

  it('takes packages from the registry alone, and stops where a script is not named', () => {
    expect(installed.settings).toEqual(
      expect.arrayContaining([
        'strict-allow-scripts=true',
        'allow-git=none',
        'allow-remote=none',
        'allow-file=none',
        'allow-directory=none',
      ]),
    );
  });
});

describe('an install', () => {
  it('of the service names no script that is not there', () => {
    expect(Object.keys(service.manifest.allowScripts ?? {}).toSorted()).toEqual(runningIn(service).toSorted());
  });

  it('is an `npm ci` in the image, without what only development needs', () => {
    const image = read('Dockerfile');
    expect(image).toMatch(/^RUN npm ci --omit=dev /m);
    expect(image).not.toMatch(/npm (?:install|i|update) /);
    expect(image).toMatch(/^USER node$/m);
  });
});
