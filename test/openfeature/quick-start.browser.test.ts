/** What docs/openfeature.md tells a newcomer to paste works as it stands, but for the port. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { needPackage } from '../support/packages.ts';
import { startPages } from './open-page.ts';
import { startProcess } from './service-process.ts';

const policy = 'examples/retail.yaml';

/** The page's blocks of JavaScript, the server's first. */
function snippets(url: string): readonly string[] {
  const blocks = readFileSync('docs/openfeature.md', 'utf8').matchAll(/^```js\n(.*?)^```$/gms);
  return [...blocks].map(([, code = '']) => code.replaceAll('http://127.0.0.1:8080', url));
}

describe('the quick start', () => {
  it('shows on a server what was decided, and how', async () => {
    needPackage('test/openfeature');
    const { url } = await startProcess({ policy, needsNoKeys: true });
    const [code = ''] = snippets(url);
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: import.meta.dirname });
    const [output, complaints] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect(complaints).toBe('');
    expect(output).toMatch(/^\S.* hero-dach TARGETING_MATCH segment\n$/);
  });

  it('shows it in a page', async () => {
    const pages = await startPages();
    const { url } = await startProcess({ policy, needsNoKeys: true, corsOrigins: [pages.origin] });
    const [, code = ''] = snippets(url);
    const { page } = await pages.open(code);
    await expect.poll(() => page.evaluate('document.body.innerText')).toMatch(/\S/);
    expect(await page.evaluate('document.body.innerText')).not.toBe('Welcome');
  });
});
