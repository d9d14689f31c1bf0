/** The programs outside npm that tests and benchmarks run for real: where each is, and what to say when it is not there. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Program {
  /** Names it goes by, the likeliest first. */
  readonly commands: readonly string[];
  readonly debianPackage: string;
  readonly usedBy: string;
  /** Whether `npm test` fails without it. */
  readonly neededByTests: boolean;
}

export const programs = {
  redis: { commands: ['redis-server'], debianPackage: 'redis-server', usedBy: 'the Redis suites', neededByTests: true },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    debianPackage: 'chromium',
    usedBy: 'the browser suite',
    neededByTests: true,
  },
  nginx: { commands: ['nginx'], debianPackage: 'nginx-light', usedBy: 'the suites of shared caches', neededByTests: true },
  varnish: { commands: ['varnishd'], debianPackage: 'varnish', usedBy: 'the suites of shared caches', neededByTests: true },
  trafficserver: { commands: ['traffic_server'], debianPackage: 'trafficserver', usedBy: '`npm run caches`', neededByTests: false },
  haproxy: { commands: ['haproxy'], debianPackage: 'haproxy', usedBy: '`npm run caches`', neededByTests: false },
  squid: { commands: ['squid'], debianPackage: 'squid', usedBy: '`npm run caches`', neededByTests: false },
  wrk: { commands: ['wrk'], debianPackage: 'wrk', usedBy: 'the benchmarks, beside autocannon', neededByTests: false },
} as const satisfies Record<string, Program>;

/** Where Debian puts servers, and whoever is not root has no search path to. */
const foldersOfServers = ['/usr/sbin', '/usr/local/sbin'];

/** The full path of the program, or null when it is nowhere to be found. */
export function findProgram(program: Program): string | null {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''), ...foldersOfServers];
  for (const command of program.commands) {
    const found = folders.map((folder) => join(folder, command)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return null;
}

export function missingSentence(program: Program): string {
  return `\`${program.commands[0]}\` was not found, and ${program.usedBy} need it: apt-get install ${program.debianPackage}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
