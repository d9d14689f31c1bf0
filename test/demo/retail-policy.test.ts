/** The example policy: it loads without complaint, shows everything a policy can say, and fits the demo people. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Artefact } from '../../src/decision/artefact.ts';
import { type Class, classes, lateModes, tiers } from '../../src/decision/vocabulary.ts';
import { compilePolicy, formatProblem } from '../../src/policy/compile.ts';

const file = 'examples/retail.yaml';
const text = readFileSync(file, 'utf8');
const nowMs = Date.UTC(2026, 10, 21);

function compiled(): Artefact {
  const { artefact, problems } = compilePolicy(text, { file, nowMs });
  if (artefact === null) throw new Error(problems.map(formatProblem).join('\n'));
  return artefact;
}

describe('the retail policy', () => {
  it('loads without errors or warnings: what is sensitive has ids that tell nothing', () => {
    expect(compilePolicy(text, { file, nowMs }).problems).toEqual([]);
  });

  it('would not load after its approvals have run out', () => {
    expect(compilePolicy(text, { file, nowMs: Date.UTC(2035, 0, 1) }).artefact).toBeNull();
  });

  it('has the pages home, category and account, and a home with a hero and an offer rail', () => {
    const { pages } = compiled();
    expect(Object.keys(pages).sort()).toEqual(['account', 'category', 'home']);
    expect(pages.home?.zones).toEqual(expect.arrayContaining(['hero', 'offer_rail']));
  });

  it('uses every rung, every late mode and every class', () => {
    const { zones, offers } = compiled();
    const everyZone = Object.values(zones);
    const rungs = everyZone.flatMap((zone) => zone.ladder);
    expect(new Set(rungs.map((rung) => rung.tier))).toEqual(new Set(tiers));
    expect(new Set(everyZone.map((zone) => zone.late))).toEqual(new Set(lateModes));

    const ofRules = rungs.flatMap((rung) => (rung.select.by === 'choose' ? rung.select.rules.map((rule) => rule.sensitivity.class) : []));
    const ofOffers = Object.values(offers).map((offer) => offer.sensitivity.class);
    expect(new Set<Class>(ofRules)).toEqual(new Set(classes));
    expect(new Set<Class>(ofOffers)).toEqual(new Set(classes));
  });

  it('holds at least eight zones and some thirty offers', () => {
    const { zones, offers } = compiled();
    expect(Object.keys(zones).length).toBeGreaterThanOrEqual(8);
    expect(Object.keys(offers).length).toBeGreaterThanOrEqual(30);
  });

  it('has a zone that any cache may hold, and one for request facts alone', () => {
    const ladders = Object.values(compiled().zones).map((zone) => zone.ladder.map((rung) => rung.tier).join(' '));
    expect(ladders).toContain('anonymous');
    expect(ladders).toContain('segment anonymous');
  });
});
