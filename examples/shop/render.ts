/** What a zone decided, as HTML. It cannot throw, and it never gives nothing. */
import type { Shown } from './zones.ts';

/** The page's own words, for where a policy says that nothing of a zone may be shown: its place stays, and is not empty. */
const ownWords = 'Take a look around: every shelf has something new.';

export function renderZone(zone: string, { variant, content, tier }: Shown): string {
  const parts = variant === null ? [`<p>${ownWords}</p>`] : partsOf(content, hueOf(`${zone} ${variant}`));
  return `<div class="shown" data-variant="${text(variant ?? 'none')}" data-tier="${text(tier)}">${parts.join('')}</div>`;
}

function partsOf(content: unknown, hue: number): readonly string[] {
  if (typeof content === 'string') return [`<p>${text(content)}</p>`];
  const { headline, title, text: words, image, items, link, cta } = (content ?? {}) as Readonly<Record<string, unknown>>;
  const parts: string[] = [];
  if (typeof image === 'string') parts.push(`<div class="picture" style="--hue:${hue}"></div>`);
  if (isWords(headline ?? title)) parts.push(`<h2>${text(headline ?? title)}</h2>`);
  if (isWords(words)) parts.push(`<p>${text(words)}</p>`);
  const named = Array.isArray(items) ? items.filter(isWords) : [];
  if (named.length > 0) parts.push(`<ul>${named.map((item) => `<li>${text(item.replaceAll('-', ' '))}</li>`).join('')}</ul>`);
  if (isOwnLink(link)) parts.push(`<p><a href="${text(link)}">${text(isWords(cta) ? cta : 'Have a look')}</a></p>`);
  return parts.length > 0 ? parts : [`<p>${ownWords}</p>`];
}

function isWords(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

/** A path of this site, and nothing that a browser could take for another site or a script. */
function isOwnLink(value: unknown): value is string {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value);
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Control characters go: `answerFor` in shop.ts separates zones by two of them. */
export function text(value: unknown): string {
  return String(value)
    .replace(/\p{Cc}/gu, ' ')
    .replace(/[&<>"']/g, (character) => escapes[character] ?? '');
}

/** Stands in for the picture: variants differ in colour, from sand over greens to blue. */
function hueOf(name: string): number {
  let sum = 7;
  for (let at = 0; at < name.length; at += 1) sum = (sum * 31 + name.charCodeAt(at)) % 9973;
  return 36 + (sum % 9) * 20;
}
