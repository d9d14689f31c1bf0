/** The package as somebody gets it who installs it: the client runs and its types hold, with nothing else installed. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildClasses, buildClient } from '../../src/client/build.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'stepwell-package-'));

beforeAll(async () => {
  await buildClient(join(repository, 'dist/client'));
  await buildClasses(join(repository, 'dist/classes'));
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: repository });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
  const installed = join(folder, 'node_modules/stepwell');
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
  writeFileSync(join(folder, 'package.json'), '{"type":"module","private":true}');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function node(source: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: folder, encoding: 'utf8' }).trim();
}

describe('the package', () => {
  test('has a client that answers where no service is, outside a browser too, and ends by itself', () => {
    const source = `
      import { createStepwell } from 'stepwell/client';
      const fallbacks = { zones: { hero: { variant: 'approved', content: 1 } } };
      const stepwell = createStepwell({ url: 'http://127.0.0.1:9', fallbacks });
      const { zones } = await stepwell.decide('home', { budgetMs: 50 });
      console.log(zones[0].variant, stepwell.now('home').source);`;
    expect(node(source)).toBe('approved device');
  });

  test('runs in a worker, and touches nothing on import', () => {
    const source = `
      import { Worker } from 'node:worker_threads';
      const worker = new Worker("import('stepwell/client').then((it) => process.getBuiltinModule('node:worker_threads').parentPort.postMessage(Object.keys(it)))", { eval: true });
      worker.on('message', (names) => console.log(names.join()));`;
    expect(node(source)).toBe('createStepwell');
  });

  test.each(['nodenext', 'bundler'])('has types that hold, with the library checked, as %s resolves them', (moduleResolution) => {
    copyFileSync(join(repository, 'examples/shop/fallbacks.json'), join(folder, 'fallbacks.json'));
    const page = `
      import { createStepwell, type PageAnswer, type Source } from 'stepwell/client';
      import fallbacks from './fallbacks.json' with { type: 'json' };
      const stepwell = createStepwell({ url: '', fallbacks, context: { country: 'DE', audiences: ['outlet'] } });
      stepwell.setConsent({ content_personalization: 'granted' });
      const answer: Promise<PageAnswer> = stepwell.decide('home', { budgetMs: 50 });
      const source: Source = stepwell.now('home').source;
      // @ts-expect-error: there is no such use case
      stepwell.setConsent({ marketing: 'granted' });
      // @ts-expect-error: the address of the service is needed
      createStepwell({});
      void [answer, source];`;
    writeFileSync(join(folder, 'page.ts'), page);
    const options = {
      strict: true,
      noEmit: true,
      module: moduleResolution === 'bundler' ? 'esnext' : 'nodenext',
      moduleResolution,
      resolveJsonModule: true,
      target: 'es2023',
      lib: ['es2023', 'dom'],
      types: [],
      skipLibCheck: false,
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['page.ts'] }));
    const compiler = join(repository, 'node_modules/typescript/bin/tsc');
    expect(() => execFileSync(process.execPath, [compiler, '--project', folder], { encoding: 'utf8', stdio: 'pipe' })).not.toThrow();
  });

  test('says what is not in it', () => {
    const { exports } = JSON.parse(readFileSync(join(folder, 'node_modules/stepwell/package.json'), 'utf8'));
    expect(Object.keys(exports)).toEqual(['./client', './classes', './package.json']);
    expect(node(`import('stepwell/classes').then(({ collapse }) => console.log(typeof collapse))`)).toBe('function');
    expect(node(`import('stepwell/src/main.ts').catch(({ code }) => console.log(code))`)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });
});
