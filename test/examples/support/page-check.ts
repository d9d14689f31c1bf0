/** Reads a page as its bytes say it, and holds that no box of it is blank: each has exactly what the policy has for the variant it names. */
import { pageZones } from '../../../examples/shop/page.ts';
import { renderZone } from '../../../examples/shop/render.ts';
import { approved } from '../../../examples/shop/zones.ts';

export interface Box {
  readonly zone: string;
  readonly variant: string;
  readonly tier: string;
}

/** The boxes of a page, in its order. Throws where one is missing, blank, cut or holds what nobody wrote. */
export function boxesOf(html: string, contents: ReadonlyMap<string, unknown>): readonly Box[] {
  const boxes = [...html.matchAll(/<section class="zone (\w+)" data-zone="\1">(.*?)<\/section>/gs)].map(([, zone = '', inside = '']) => {
    const [, variant = '', tier = ''] = /^<div class="shown" data-variant="([^"]+)" data-tier="([^"]+)">/.exec(inside) ?? [];
    const content = contents.get(variant);
    const expected = renderZone(zone, { variant: content === undefined ? null : variant, content, tier });
    if (inside !== expected) throw new Error(`the box of ${zone} holds ${JSON.stringify(inside)}, and not ${JSON.stringify(expected)}`);
    return { zone, variant, tier };
  });
  const order = boxes.map(({ zone }) => zone).join(', ');
  if (order !== pageZones.join(', ')) throw new Error(`the page has the boxes ${order}`);
  if (!html.trimEnd().endsWith('</html>')) throw new Error('the page ends before its end');
  if (/<!--#|<esi:/.test(html)) throw new Error('a mark for the edge was left in the page');
  return boxes;
}

/** What the page shows when nobody is asked. */
export const approvedBoxes: readonly Box[] = pageZones.map((zone) => {
  const { variant, tier } = approved(zone);
  return { zone, variant: variant ?? 'none', tier };
});
