/**
 * Over generated policies, questions and evidence: what is too sensitive for a visitor may as well not be there, a child is shown what
 * everybody is shown, and what everybody is shown depends on nobody.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Artefact, Rung, Sensitivity } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { Decision } from '../../src/decision/decision.ts';
import type { Evidence } from '../../src/decision/facts.ts';
import { needs } from '../../src/decision/needs.ts';
import type { Question } from '../../src/decision/question.ts';
import { preparedZone, readsOf } from '../../src/decision/reading.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Case } from '../generate/case.ts';
import { policyDocument } from '../generate/document.ts';
import { evidence, welcome } from '../generate/evidence.ts';
import { questionAbout } from '../generate/question.ts';
import { baseNowMs } from '../generate/vocabulary.ts';
import { type PolicyDocument, toPolicyText } from '../oracle/document.ts';
import { seed } from '../oracle/runs.ts';

const decisionsOfDocument = 12;

interface Scene {
  readonly artefact: Artefact;
  readonly cases: readonly Omit<Case, 'document'>[];
}

function compiled(document: PolicyDocument): Artefact {
  const { artefact, problems } = compilePolicy(toPolicyText(document), { file: 'generated.json', nowMs: baseNowMs });
  if (artefact === null) throw new Error(problems.map(({ message }) => message).join('\n'));
  return artefact;
}

const scenes: fc.Arbitrary<Scene> = policyDocument.chain((document) =>
  fc
    .array(fc.record({ question: questionAbout(document), evidence }), { minLength: decisionsOfDocument, maxLength: decisionsOfDocument })
    .map((drawn) => ({
      artefact: compiled(document),
      cases: drawn.map(({ question, evidence: full }) => ({
        question: { ...question, audience: 'personal' as const, explain: false },
        evidence: full,
      })),
    })),
);

// ------------------------------------------------------------------------------------------------------------- the same, without

/** Whether the token and its proof are what S2 asks for, told from the evidence alone. */
function isSteppedUp({ identity: { token } }: Evidence, { nowMs }: Question): boolean {
  if (token.state !== 'verified' || token.binding !== 'proved' || token.authTimeSeconds === null) return false;
  return nowMs - token.authTimeSeconds * 1000 <= 15 * 60 * 1000;
}

/** Whether this visitor could never be shown it, for its class. What only the rest of the evidence decides counts as possible. */
function isOutOfReach({ class: ofClass, categories }: Sensitivity, full: Evidence, question: Question): boolean {
  if (ofClass !== 'S2' && ofClass !== 'S3') return false;
  if (!isSteppedUp(full, question)) return true;
  if (ofClass === 'S2') return false;
  const { stored } = full.consent;
  const said: Readonly<Record<string, unknown>> = stored.state === 'known' ? stored.value.useCases : {};
  return categories.some((category) => said[`category:${category}`] !== 'granted');
}

type Keep = (sensitivity: Sensitivity) => boolean;

/** The artefact of a policy whose author never wrote the others down. What a zone itself declares stays. */
function only(artefact: Artefact, keep: Keep): Artefact {
  const selectionOf = ({ select }: Rung): Rung['select'] =>
    select.by === 'choose'
      ? { by: 'choose', rules: select.rules.filter(({ sensitivity }) => keep(sensitivity)) }
      : { by: 'arbitrate', offers: select.offers.filter((id) => keep(artefact.offers[id]?.sensitivity as Sensitivity)) };
  const zones = Object.entries(artefact.zones).map(([id, zone]) => [
    id,
    { ...zone, ladder: zone.ladder.map((rung) => (rung.tier === 'anonymous' ? rung : { ...rung, select: selectionOf(rung) })) },
  ]);
  return { ...artefact, zones: Object.fromEntries(zones) };
}

/**
 * The contract judges what a rung has to wait for by its rules and offers as written, for everybody alike: where only something sensitive
 * reads the profile, the profile is waited for. Such rungs may be told apart; they are left out here.
 */
function waitsAlike(one: Artefact, other: Artefact, question: Question): boolean {
  const waits = (artefact: Artefact) =>
    question.zones.map((zone) => (preparedZone(artefact, zone)?.rungs ?? []).map((rung) => readsOf(rung, question.nowMs)));
  return JSON.stringify(waits(one)) === JSON.stringify(waits(other));
}

type Decide = (artefact: Artefact, question: Question, evidence: Evidence) => Decision;

/** How many decisions were compared, and how many of them under a policy from which something was taken away. */
function compared({ artefact, cases }: Scene, by: Decide): { readonly all: number; readonly alike: boolean } {
  let all = 0;
  for (const { question, evidence: full } of cases) {
    const without = only(artefact, (sensitivity) => !isOutOfReach(sensitivity, full, question));
    const isLess = JSON.stringify(without.zones) !== JSON.stringify(artefact.zones);
    if (!isLess || !waitsAlike(artefact, without, question)) continue;
    all += 1;
    if (JSON.stringify(by(artefact, question, full)) !== JSON.stringify(by(without, question, full))) return { all, alike: false };
  }
  return { all, alike: true };
}

describe('what is too sensitive for a visitor', () => {
  it('changes no byte of a decision that waits for the same', () => {
    let all = 0;
    fc.assert(
      fc.property(scenes, (scene) => {
        const { all: tried, alike } = compared(scene, decide);
        all += tried;
        return alike;
      }),
      { seed, numRuns: 150 },
    );
    expect(all).toBeGreaterThan(100);
  });

  const leaking: Readonly<Record<string, Decide>> = {
    'says that a class was not met': (artefact, question, full) => {
      const explained = decide(artefact, { ...question, explain: true }, full).zones;
      const lost = explained.map((zone) => zone.explain?.candidates.map((candidate) => candidate.lost));
      const tells = String(lost).match(/class_not|step_up|unbound|explicit/) !== null;
      return { ...decide(artefact, question, full), ...(tells && { reason: 'class_not_enabled' }) };
    },
    'lets it compete and takes it back when it has won': (artefact, question, full) => {
      const { token } = full.identity;
      if (token.state !== 'verified') return decide(artefact, question, full);
      const authTimeSeconds = Math.floor(question.nowMs / 1000);
      const steppedUp = { ...full, identity: { ...full.identity, token: { ...token, binding: 'proved' as const, authTimeSeconds } } };
      const decided = decide(artefact, question, steppedUp);
      const zones = decided.zones.map((zone) => {
        const offer = zone.offer === null ? undefined : artefact.offers[zone.offer];
        return offer !== undefined && isOutOfReach(offer.sensitivity, full, question) ? { ...zone, offer: null } : zone;
      });
      return { ...decided, zones };
    },
  };
  it.each(Object.keys(leaking))('would leave a trace in a core that %s', (what) => {
    const by = leaking[what] as Decide;
    expect(fc.sample(scenes, { seed: 3, numRuns: 150 }).some((scene) => !compared(scene, by).alike)).toBe(true);
  });
});

// ------------------------------------------------------------------------------------------------------------------ what is explained

describe('an explanation', () => {
  it('says that a class was not met, and not what the profile would have decided', () => {
    const approved = { by: 'somebody', on: '2026-11-01', until: '2027-11-01' };
    const document = {
      stepwell: 1,
      policy: 'explained',
      attributes: { profile: { a_1: { type: 'bool', class: 'S2' } } },
      zones: {
        zone: {
          kind: 'content',
          ladder: [
            { tier: 'user', choose: [{ when: 'profile.a_1', variant: 'v-1' }] },
            { tier: 'anonymous', variant: 'v-0', approved },
          ],
        },
      },
      variants: { 'v-0': { content: 0 }, 'v-1': { content: 1 } },
    };
    const { artefact } = compilePolicy(JSON.stringify(document), { file: 'explained.json', nowMs: baseNowMs });
    const { identity, consent } = welcome({ subject: 'subject-one', grantedBy: 'request', denied: null });
    const explained = (says: boolean, binding: 'none' | 'proved') => {
      const token = { ...identity.token, binding } as Evidence['identity']['token'];
      const profile = { state: 'known', value: { attributes: { a_1: says }, audiences: [] } } as const;
      const question = { nowMs: baseNowMs, audience: 'personal', page: null, zones: ['zone'], shownOffers: [], request: {} } as const;
      const full = { identity: { ...identity, token }, consent, profile, session: { state: 'absent' } } as unknown as Evidence;
      return decide(artefact as Artefact, { ...question, audiences: null, explain: true }, full);
    };
    expect(explained(true, 'none').zones[0]?.explain?.candidates[0]?.lost).toBe('identity_unbound');
    expect(explained(true, 'none')).toEqual(explained(false, 'none'));
    expect(explained(true, 'proved')).not.toEqual(explained(false, 'proved'));
  });
});

// ------------------------------------------------------------------------------------------------------------------ what is read

describe('a segment rung', () => {
  it('reads no consent on account of what only the user rung may show', () => {
    const approved = { by: 'somebody', on: '2026-11-01', until: '2027-11-01' };
    const zone = (rules: readonly object[]) => ({
      kind: 'content',
      ladder: [
        { tier: 'segment', choose: rules },
        { tier: 'anonymous', variant: 'v-0', approved },
      ],
    });
    const plain = { when: 'request.country == "DE"', variant: 'v-1' };
    const document = (rules: readonly object[]) => ({
      stepwell: 1,
      policy: 'segments',
      attributes: { request: { country: { type: 'string', class: 'S0' }, here: { type: 'string', class: 'S2' } } },
      contextualWithoutSignal: true,
      zones: { zone: zone(rules) },
      variants: { 'v-0': { content: 0 }, 'v-1': { content: 1 } },
    });
    const needed = (rules: readonly object[]) => {
      const { artefact } = compilePolicy(JSON.stringify(document(rules)), { file: 'segments.json', nowMs: baseNowMs });
      const question = { nowMs: baseNowMs, audience: 'personal', page: null, zones: ['zone'], shownOffers: [] } as const;
      return needs(artefact as Artefact, { ...question, request: {}, audiences: null, explain: false });
    };
    expect(needed([{ when: 'request.here == "x"', variant: 'v-1' }, plain])).toEqual(needed([plain]));
    // What is ordinary behaviour asks for consent, and so for the record.
    expect(needed([{ ...plain, class: 'S1' }]).consent).toBe(true);
    expect(needed([plain]).consent).toBe(false);
  });
});

// ---------------------------------------------------------------------------------------------------------------------- children

const child = { state: 'valid', child: true, useCases: {} } as const;

function asChild(full: Evidence, first: boolean): Evidence {
  const { signals } = full.consent;
  return { ...full, consent: { ...full.consent, signals: first ? [child, ...signals] : [...signals, child] } };
}

/** Zones that a child is shown something of that not everybody is shown. */
function overstepping({ artefact, cases }: Scene, by: Decide): readonly string[] {
  return cases.flatMap(({ question, evidence: full }, index) =>
    by(artefact, question, asChild(full, index % 2 === 0))
      .zones.filter(({ tier }) => tier !== 'anonymous')
      .map(({ zone }) => zone),
  );
}

describe('a known child', () => {
  it('is served the anonymous tier only, whatever else is said and known', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        expect(overstepping(scene, decide)).toEqual([]);
        for (const { question, evidence: full } of scene.cases) {
          const { consent } = decide(scene.artefact, question, asChild(full, true));
          const { gpc: _, ...states } = consent;
          expect(new Set(Object.values(states))).toEqual(new Set(['denied']));
        }
      }),
      { seed, numRuns: 100 },
    );
  });

  it('would be seen to be served more by a core that does not look for children', () => {
    const careless: Decide = (artefact, question, full) =>
      decide(artefact, question, {
        ...full,
        consent: { ...full.consent, signals: full.consent.signals.filter((signal) => signal !== child) },
      });
    expect(fc.sample(scenes, { seed: 5, numRuns: 20 }).some((scene) => overstepping(scene, careless).length > 0)).toBe(true);
  });
});

// ------------------------------------------------------------------------------------------------------------- shown to everybody

describe('what everybody is shown', () => {
  it('is one thing for a zone, whoever asks and whatever is known of them', () => {
    let shown = 0;
    fc.assert(
      fc.property(scenes, ({ artefact, cases }) => {
        for (const { question, evidence: full } of cases) {
          for (const { zone, tier, render, variant, offer, content } of decide(artefact, question, full).zones) {
            if (tier !== 'anonymous' || render === 'suppress') continue;
            const rung = artefact.zones[zone]?.ladder.at(-1);
            const approved = rung?.select.by === 'choose' ? rung.select.rules[0]?.variant : undefined;
            expect({ variant, offer, content }).toEqual({
              variant: approved,
              offer: null,
              content: artefact.variants[approved ?? '']?.content,
            });
            shown += 1;
          }
        }
      }),
      { seed, numRuns: 100 },
    );
    expect(shown).toBeGreaterThan(300);
  });

  it('is of class S0 or S1 by the data that select it, or the policy does not load', () => {
    fc.assert(
      fc.property(policyDocument, (document) => {
        for (const { ladder } of Object.values(compiled(document).zones)) {
          const rung = ladder.at(-1);
          if (rung?.select.by !== 'choose') throw new Error('the anonymous rung arbitrates');
          for (const { when, reads, sensitivity } of rung.select.rules) {
            expect([when, reads.request.length, reads.session, reads.profile, reads.audiences]).toEqual([null, 0, false, false, false]);
            expect(['S0', 'S1']).toContain(sensitivity.class);
          }
        }
      }),
      { seed, numRuns: 100 },
    );
  });
});
