/**
 * The shop's own server, for an edge that assembles pages: the shell, which any cache may hold, and what goes into its boxes, which none
 * may. It asks Stepwell under one deadline for the whole page and answers in one piece, so that the edge needs no deadline of its own
 * against a service that dribbles.
 *
 *   node examples/shop/shop.ts ssi    (or esi)
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import { askForZones, type Service, warmUp } from './ask.ts';
import { approvedInside, box, page, pageEnd, pageFooter, pageStart, pageZones } from './page.ts';
import { renderZone } from './render.ts';
import type { Zones } from './zones.ts';

export type Markup = 'ssi' | 'esi';

interface ShopParts {
  readonly markup: Markup;
  readonly service: Service;
  /** From the request for what goes into the boxes to the answer. */
  readonly budgetMs: number;
}

export function createShop({ markup, service, budgetMs }: ShopParts): Server {
  const shell = markup === 'ssi' ? page(ssiBox, { start: ssiStart }) : esiShell();
  const decide = oncePerView((visitor) => askForZones(service, visitor, budgetMs));

  return createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?', 1)[0] ?? '/';
    if (path === '/') return html(response, shell, shellHeaders);
    if (path === '/_zones/home') return html(response, separated(await decide(request.headers)), zoneHeaders);
    const zone = /^\/_zones\/home\/(\w+)$/.exec(path)?.[1];
    if (zone === undefined || !pageZones.includes(zone)) return void response.writeHead(404, zoneHeaders).end();
    html(response, box(zone, inside(zone, await decide(request.headers))), zoneHeaders);
  });
}

const shellHeaders = { 'cache-control': 'public, max-age=0, s-maxage=60' };
const zoneHeaders = { 'cache-control': 'private, no-store' };

function html(response: ServerResponse, body: string, headers: Readonly<Record<string, string>>): void {
  const length = Buffer.byteLength(body);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': length, ...headers }).end(body);
}

function inside(zone: string, zones: Zones): string {
  const shown = zones.get(zone);
  return shown === undefined ? approvedInside(zone) : renderZone(zone, shown);
}

// --- nginx ---------------------------------------------------------------------------------------------------------------------

/** One include brings all zones; each box takes its own piece, and only a whole one. */
const ssiStart = '<!--# include virtual="/_zones/home" set="zones" -->';

function ssiBox(zone: string): string {
  const piece = `$zones = /\\x1e${zone}\\x1f([^\\x1e]+)\\x1e/`;
  return `<!--# if expr="${piece}" --><!--# echo var="1" encoding="none" --><!--# else -->${approvedInside(zone)}<!--# endif -->`;
}

/** Below `subrequest_output_buffer_size` in nginx.conf: where an include is larger, nginx breaks off the page. */
const includeBytesMax = 60_000;

/** The largest pieces are left out of what is too large, and the shell shows its approved words in those boxes. */
function separated(zones: Zones): string {
  const pieces = pageZones.map((zone) => `\x1e${zone}\x1f${inside(zone, zones)}\x1e`);
  let written = '';
  for (const piece of pieces.toSorted((one, other) => one.length - other.length))
    if (Buffer.byteLength(written + piece) <= includeBytesMax) written += piece;
  return written;
}

// --- Varnish -------------------------------------------------------------------------------------------------------------------

/**
 * Each box comes with its include: Varnish sends on what stands before it, and a box that were opened there would be drawn without a word
 * in it. Nothing moves when the box comes, because it comes below what is there.
 */
function esiShell(): string {
  return [pageStart(), ...pageZones.map(esiBox), pageFooter(), pageEnd()].join('');
}

/** Varnish throws `esi:remove` away; whoever shows the shell without it finds the approved words in it. */
function esiBox(zone: string): string {
  return `<esi:include src="/_zones/home/${zone}"/><esi:remove>${box(zone, approvedInside(zone))}</esi:remove>\n`;
}

const viewLifeMs = 2000;
const viewsMax = 1000;

/**
 * The boxes of a page are fetched one by one and decided together: under one deadline, and so that no offer stands on it twice. The edge
 * names the view of a page; what the visitor brings is part of the key, so that no mistake of the edge's shows one visitor another's.
 */
function oncePerView(decide: (visitor: IncomingHttpHeaders) => Promise<Zones>): (visitor: IncomingHttpHeaders) => Promise<Zones> {
  const views = new Map<string, Promise<Zones>>();
  return (visitor) => {
    const view = visitor['stepwell-view'];
    if (typeof view !== 'string') return decide(visitor);
    const brought = [view, visitor.cookie, visitor['x-country'], visitor['sec-ch-ua-mobile'], visitor['sec-gpc']];
    const key = createHash('sha256').update(JSON.stringify(brought)).digest('base64');
    const known = views.get(key);
    if (known !== undefined) return known;
    const deciding = decide(visitor);
    views.set(key, deciding);
    setTimeout(() => views.delete(key), viewLifeMs).unref();
    const [oldest] = views.keys();
    if (views.size > viewsMax && oldest !== undefined) views.delete(oldest);
    return deciding;
  };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { STEPWELL_URL: url = 'http://127.0.0.1:8080', STEPWELL_KEY: key, PORT = '8081' } = process.env;
  const markup = process.argv[2] === 'esi' ? 'esi' : 'ssi';
  await warmUp({ url, key });
  createShop({ markup, service: { url, key }, budgetMs: 60 }).listen(Number(PORT), '127.0.0.1', () => {
    console.log(`The shop's shell and zones, with ${markup.toUpperCase()} marks, on http://127.0.0.1:${PORT}`);
  });
}
