/** What shared answers are purged by: ids that the policy's author chose, never anything of anybody or of what was shown. */

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

export function zoneTag(zone: string): string {
  return `zone-${zone}`;
}

export function policyTag(policy: string): string {
  return `policy-${policy}`;
}

/** On what devices are given to decide by. */
export const artefactTag = 'stepwell-artefact';
