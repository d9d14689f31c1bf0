/** Packages beside the root's, each with a lock file of its own: what is heavy and only tried against is not installed with the service. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface TestPackage {
  /** Relative to the repository. */
  readonly folder: string;
  readonly usedBy: string;
}

export const testPackages: readonly TestPackage[] = [
  { folder: 'test/runtimes', usedBy: 'the suites that decide on other engines' },
  { folder: 'test/openfeature', usedBy: 'the suites that ask through the OpenFeature SDKs' },
  { folder: 'examples/cloudflare-worker', usedBy: 'the suite of the Cloudflare Worker' },
  { folder: 'examples/next', usedBy: 'the suite of the Next.js page' },
];

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Whether what is installed is at least as new as what is locked. */
export function isInstalled({ folder }: TestPackage): boolean {
  const installed = join(repository, folder, 'node_modules/.package-lock.json');
  const locked = join(repository, folder, 'package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(locked).mtimeMs;
}

export function installCommand({ folder }: TestPackage): readonly string[] {
  return ['ci', '--prefix', folder, '--no-audit', '--no-fund'];
}

export function notInstalledSentence(one: TestPackage): string {
  return `the packages of ${one.folder} are not installed, and ${one.usedBy} need them: npm ${installCommand(one).slice(0, 3).join(' ')}`;
}

/** For a suite that needs them: throws the sentence that says how to get them. */
export function needPackage(folder: string): void {
  const found = testPackages.find((one) => one.folder === folder);
  if (found === undefined) throw new Error(`${folder} is no package of the tests`);
  if (!isInstalled(found)) throw new Error(notInstalledSentence(found));
}
