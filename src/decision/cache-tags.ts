/** What shared answers are purged by: ids that the policy's author chose, never anything of anybody or of what was shown. */

/** On every shared answer. */
export const serviceTag = 'stepwell';

export function policyTag(policy: string): string {
  return `policy-${policy}`;
}

export function zoneTag(zone: string): string {
  return `zone-${zone}`;
}

/** On what devices are given to decide by. */
export const artefactTag = 'stepwell-artefact';
