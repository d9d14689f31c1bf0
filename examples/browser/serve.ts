/**
 * A page that is a file: the same for everybody, held by every cache, with the approved words in it. What is personal is put in by the
 * browser. This server only hands the files out; any other would do.
 *
 *   npx node examples/browser/serve.ts
 */
import { createServer, type Server } from 'node:http';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'rolldown';
import { approvedInside, page } from '../shop/page.ts';
import { pack } from '../shop/zones.ts';

interface SiteParts {
  readonly serviceUrl: string;
  /** A publishable key: anybody may read it. */
  readonly key?: string | undefined;
  /** How long the page waits for its script at most before it is shown. */
  readonly holdMs?: number;
}

const usualHoldMs = 200;

export async function createSite(parts: SiteParts): Promise<Server> {
  const files = new Map([
    ['/', { type: 'text/html; charset=utf-8', body: pageFor(parts) }],
    ['/page.js', { type: 'text/javascript; charset=utf-8', body: await bundled() }],
  ]);
  return createServer((request, response) => {
    const file = files.get(request.url?.split('?', 1)[0] ?? '');
    if (file === undefined) return void response.writeHead(404, { 'cache-control': 'no-store' }).end();
    response.writeHead(200, { 'content-type': file.type, 'cache-control': 'public, max-age=60' }).end(file.body);
  });
}

/**
 * Nothing is seen before the script has filled the boxes in view, and it is not waited for longer than `holdMs`: then the approved words
 * are shown, and stay for the view. Not `blocking="render"`, which waits for a script that hangs, and not for one that awaits something.
 */
function pageFor({ serviceUrl, key, holdMs = usualHoldMs }: SiteParts): string {
  const settings = { serviceUrl, key, fallbacks: pack };
  return page(approvedInside, {
    head: `<style>.held body { visibility: hidden }</style>
<script>
  document.documentElement.classList.add('held');
  setTimeout(() => document.documentElement.classList.remove('held'), ${holdMs});
</script>
<script type="application/json" id="shop-settings">${inScript(settings)}</script>
<script type="module" src="/page.js"></script>
`,
    foot: '<p>May we go by what you look at? <button data-consent="granted">Yes</button> <button data-consent="denied">No</button></p>\n',
  });
}

/** So that no content can end the script element, or open a comment in it. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** In a shop of your own, `stepwell/client` is in node_modules, and whatever bundles your page finds it there. */
async function bundled(): Promise<string> {
  const { output } = await build({
    input: fileURLToPath(new URL('./page.ts', import.meta.url)),
    resolve: { alias: { 'stepwell/client': fileURLToPath(new URL('../../src/client/index.ts', import.meta.url)) } },
    output: { format: 'esm', minify: true },
    platform: 'browser',
    write: false,
  });
  return output[0].code;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { STEPWELL_URL: serviceUrl = 'http://127.0.0.1:8080', STEPWELL_KEY: key, PORT = '8086' } = process.env;
  const site = await createSite({ serviceUrl, key });
  site.listen(Number(PORT), '127.0.0.1', () => console.log(`The shop as a static page on http://127.0.0.1:${PORT}`));
}
