/** What a zone decided, as HTML. It cannot throw, and it never gives nothing: content without a word to show is left to the approved words. */
import { approved, type Shown } from './zones.ts';

/** The page's own words, for where a policy says that nothing of a zone may be shown: its place stays, and is not empty. */
const ownWords = 'Take a look around: every shelf has something new.';

export function renderZone(zone: string, shown: Shown): string {
  return rendered(zone, shown) ?? rendered(zone, approved(zone)) ?? inFrame(shown, [`<p>${ownWords}</p>`]);
}

/** Null where there is nothing to be seen. */
function rendered(zone: string, shown: Shown): string | null {
  if (shown.variant === null) return inFrame(shown, [`<p>${ownWords}</p>`]);
  const parts = partsOf(shown.content, hueOf(`${zone} ${shown.variant}`));
  return parts.length === 0 ? null : inFrame(shown, parts);
}

function inFrame({ variant, tier }: Shown, parts: readonly string[]): string {
  return `<div class="shown" data-variant="${text(variant ?? 'none')}" data-tier="${text(tier)}">${parts.join('')}</div>`;
}

function partsOf(content: unknown, hue: number): readonly string[] {
  if (typeof content === 'string') return isWords(content) ? [`<p>${text(content)}</p>`] : [];
  const { headline, title, text: words, image, items, link, cta } = (content ?? {}) as Readonly<Record<string, unknown>>;
  const parts: string[] = [];
  if (typeof image === 'string') parts.push(`<div class="picture" style="--hue:${hue}"></div>`);
  if (isWords(headline ?? title)) parts.push(`<h2>${text(headline ?? title)}</h2>`);
  if (isWords(words)) parts.push(`<p>${text(words)}</p>`);
  const named = Array.isArray(items) ? items.filter(isWords).map((item) => item.replaceAll('-', ' ')) : [];
  const seen = named.filter(isWords);
  if (seen.length > 0) parts.push(`<ul>${seen.map((item) => `<li>${text(item)}</li>`).join('')}</ul>`);
  if (isOwnLink(link)) parts.push(`<p><a href="${text(link)}">${text(isWords(cta) ? cta : 'Have a look')}</a></p>`);
  return parts;
}

/** Spaces, control characters and the like leave a box as blank as no text at all; and so do letters and symbols that are drawn as nothing. */
function isWords(value: unknown): value is string {
  return typeof value === 'string' && /[\p{L}\p{N}\p{P}\p{S}]/u.test(value.replace(drawnAsNothing, ''));
}

/** Hangul fillers and the like; and, which Unicode counts among what is seen, the blank of Braille, a note without a head, two blanks of hieroglyphs. */
const drawnAsNothing = /[\p{Default_Ignorable_Code_Point}\u2800\u{1d159}\u{13441}\u{13442}]/gu;

/** A path of this site, and nothing that a browser could take for another site or a script. */
function isOwnLink(value: unknown): value is string {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value);
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Control characters go: `separated` in shop.ts separates zones by two of them. */
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
