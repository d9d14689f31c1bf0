/** What is installed is what was looked at: locked, whole, above the floors, and running nothing at install but what is named. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../cli/run-stepwell.ts';

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
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;
const lock = JSON.parse(read('package-lock.json')) as {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, Locked>>;
};
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
const nameOf = (path: string): string => path.split('node_modules/').at(-1) ?? '';
const registry = 'https://registry.npmjs.org/';

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

describe('the lockfile', () => {
  it('names one version, a checksum and no place but the registry for every package', () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(locked.length).toBeGreaterThan(100);
    for (const [path, entry] of locked) {
      expect(entry.resolved === undefined || entry.resolved.startsWith(registry), path).toBe(true);
      expect(entry.link ?? false, path).toBe(false);
      if (!isForAnotherPlatform(entry, path)) expect(entry.integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    }
  });

  it('holds nothing below the floors, and they are a table that is not empty', () => {
    expect(floors.map(({ name }) => name)).toEqual(expect.arrayContaining(['fastify', 'ioredis', 'jose', 'undici', 'node']));
    expect(belowFloor(locked)).toEqual([]);
    for (const { name } of floors)
      expect(
        locked.some(([path]) => nameOf(path) === name),
        `${name} is locked`,
      ).toBe(true);
    // The comparison can fail: by one in the last place too, and not by letters.
    expect(belowFloor([['node_modules/fastify', { version: '5.8.4' }]])).toEqual(['fastify 5.8.4']);
    expect(belowFloor([['a/node_modules/ioredis', { version: '5.11.0' }]])).toEqual(['ioredis 5.11.0']);
    expect(belowFloor([['node_modules/fastify', { version: '5.12.0' }]])).toEqual([]);
  });

  it('holds none of those that are never here', () => {
    expect(forbidden).toHaveLength(5);
    expect(locked.map(([path]) => nameOf(path)).filter((name) => forbidden.includes(name))).toEqual([]);
  });

  it('is asked for in exact versions', () => {
    for (const [name, wanted] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(wanted, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(wanted);
    }
  });
});

describe('an install', () => {
  it('runs nothing but what is named, and names nothing that is not there', () => {
    const running = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path));
    expect([...new Set(running)].sort()).toEqual(Object.keys(manifest.allowScripts).sort());
    expect(
      Object.entries(manifest.allowScripts)
        .filter(([, isAllowed]) => isAllowed)
        .map(([name]) => name)
        .sort(),
    ).toEqual(['lmdb', 'msgpackr-extract', 'node']);
  });

  it('takes packages from the registry alone, and stops where a script is not named', () => {
    const settings = read('.npmrc').trim().split('\n');
    expect(settings).toEqual(
      expect.arrayContaining([
        'strict-allow-scripts=true',
        'allow-git=none',
        'allow-remote=none',
        'allow-file=none',
        'allow-directory=none',
      ]),
    );
  });

  it('is an `npm ci` in the image, without what only development needs', () => {
    const image = read('Dockerfile');
    expect(image).toMatch(/^RUN npm ci --omit=dev /m);
    expect(image).not.toMatch(/npm (?:install|i|update) /);
    expect(image).toMatch(/^USER node$/m);
  });
});
