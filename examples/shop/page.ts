/**
 * The page that the examples show: a shell that is the same for everybody, with a box for each zone. A box has its place and its height
 * before anything is known of the visitor, and words that the business approved, so that there is nothing to wait for and nothing to move.
 */
import { readFileSync } from 'node:fs';
import { renderZone } from './render.ts';
import { approved } from './zones.ts';

/** As they stand on the page. Those above the fold are seen at once, and must be right when they are first painted. */
export const pageZones = ['service_banner', 'hero', 'offer_rail', 'promo_tile', 'category_tiles', 'recently_viewed', 'newsletter_box'];
export const aboveFold: ReadonlySet<string> = new Set(['service_banner', 'hero', 'offer_rail', 'promo_tile']);

const style = readFileSync(new URL('./page.css', import.meta.url), 'utf8');

/** `inside` says what stands in each zone's box. */
export function page(inside: (zone: string) => string, extra: { head?: string; start?: string; foot?: string } = {}): string {
  return [pageStart(extra), ...pageZones.map((zone) => box(zone, inside(zone))), pageFooter(extra.foot), pageEnd()].join('');
}

export function pageStart({ head = '', start = '' }: { head?: string; start?: string } = {}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Halden Outdoor</title>
<link rel="icon" href="data:,">
<style>${style}</style>
${head}</head>
<body>
<header><b>Halden</b><nav><a href="/new">New</a> <a href="/shoes">Shoes</a> <a href="/outdoor">Outdoor</a> <a href="/care">Care</a></nav></header>
<main>
${start}`;
}

export function box(zone: string, inside: string): string {
  return `<section class="zone ${zone}" data-zone="${zone}">${inside}</section>\n`;
}

/** What stands below the last box. After it, `pageEnd`. */
export function pageFooter(foot = ''): string {
  return `</main>\n<footer>Halden Outdoor · shops in eleven towns ${foot}</footer>\n`;
}

export function pageEnd(): string {
  return '</body>\n</html>\n';
}

/** What a box holds when nobody has been asked, or nobody has answered. */
export function approvedInside(zone: string): string {
  return renderZone(zone, approved(zone));
}
