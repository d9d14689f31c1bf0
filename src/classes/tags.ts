/** How many tags an answer may carry. */

/**
 * CDNs take 16 KB of tags (Akamai 128 of them, of 128 characters each), but a proxy on the way may have room for 4 KiB of headers in all,
 * as nginx has, and answers 502 to more.
 */
const tagCharsMax = 1024;
const tagsMax = 128;
const tagLengthMax = 128;

/** Where they do not fit, an answer is purged by its policy alone. */
export function fitIntoHeader(tags: readonly string[]): boolean {
  return tags.join(' ').length <= tagCharsMax && tags.length <= tagsMax && tags.every(({ length }) => length <= tagLengthMax);
}
