/** Writes `approved.vcl` beside itself: the box that Varnish shows when the shop gives it none. Run it whenever the policy changes. */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { approvedInside, box, pageZones } from '../shop/page.ts';

export function approvedVcl(): string {
  const cases = pageZones.map(
    (zone) =>
      `  if (bereq.url == "/_zones/home/${zone}") {\n    synthetic({"${longString(box(zone, approvedInside(zone)).trimEnd())}"});\n  }\n`,
  );
  return `# Written by approved.ts from examples/shop/fallbacks.json.\nsub approved_zone {\n${cases.join('')}}\n`;
}

/** A long string of VCL ends at its first `"}`. HTML needs no such thing. */
function longString(html: string): string {
  return html.replaceAll('"}', '" }');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('./approved.vcl', import.meta.url), approvedVcl());
}
