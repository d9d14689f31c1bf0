/**
 * What the whole core says of a device's question: the policy without what was left out, and the local signals in the place of a
 * session's record, which is what they are to a device.
 */

import { readAttributes } from '../../src/contract/attributes.ts';
import type { Artefact, Reads, Rung } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type { Expression } from '../../src/decision/expression.ts';
import { type Evidence, noEvidence } from '../../src/decision/facts.ts';
import type { DeviceDecision, DeviceQuestion } from '../../src/device/decide-on-device.ts';
import type { LeftOut } from '../../src/device/trim.ts';

export function referenceArtefact(artefact: Artefact, leftOut: readonly LeftOut[]): Artefact {
  const isLeft = (zone: string, rung: Rung, rule: number | null, offer: string | null): boolean =>
    leftOut.some((left) => left.zone === zone && left.tier === rung.tier && left.rule === rule && left.offer === offer);
  const zones = Object.entries(artefact.zones).map(([id, zone]) => {
    const ladder = zone.ladder.map((rung): Rung => {
      const { select } = rung;
      if (select.by === 'arbitrate')
        return { ...rung, select: { ...select, offers: select.offers.filter((offer) => !isLeft(id, rung, null, offer)) } };
      const rules = select.rules.filter((_, index) => !isLeft(id, rung, index, null));
      return {
        ...rung,
        select: { ...select, rules: rules.map((rule) => ({ ...rule, reads: sessionReads(rule.reads), when: inSession(rule.when) })) },
      };
    });
    return [id, { ...zone, ladder }];
  });
  const offers = Object.entries(artefact.offers).map(([id, offer]) => [
    id,
    {
      ...offer,
      reads: sessionReads(offer.reads),
      when: inSession(offer.when),
      context: offer.context.map(({ when, perMille }) => ({ when: inSession(when), perMille })),
    },
  ]);
  return { ...artefact, zones: Object.fromEntries(zones), offers: Object.fromEntries(offers) } as Artefact;
}

function sessionReads({ device, ...reads }: Reads): Reads {
  return device ? { ...reads, session: true } : reads;
}

function inSession<T extends Expression | null>(when: T): T {
  return JSON.parse(JSON.stringify(when).replaceAll('"source":"device"', '"source":"session"')) as T;
}

export function referenceDecisions(artefact: Artefact, question: DeviceQuestion): readonly DeviceDecision[] {
  const { nowMs, page, zones, shownOffers, audiences, consent, gpc, seed } = question;
  const { attributes: request } = readAttributes(question.request, artefact.attributes.request, '');
  const signals = question.signals && readAttributes(question.signals, artefact.attributes.device ?? {}, '').attributes;
  const evidence: Evidence = {
    ...noEvidence,
    identity: { ...noEvidence.identity, session: signals === null ? { state: 'none' } : { state: 'verified', id: seed } },
    consent: { ...noEvidence.consent, signals: [{ state: 'valid', useCases: consent }], gpc, session: { state: 'absent' } },
    session: signals === null ? { state: 'refused' } : { state: 'known', value: { attributes: signals } },
  };
  const audience = 'personal';
  const asked = { nowMs, audience, page, zones, shownOffers, request, audiences: audiences ?? null, explain: false } as const;
  const { zones: decided } = decide(artefact, asked, evidence);
  return decided.map(({ holdout: _holdout, propensityPpm: _propensity, cache: _cache, ...zone }) => {
    const text = JSON.stringify(zone);
    // The session stands for what a device knows, and proves no session to it.
    return JSON.parse(text.replaceAll('identity_session_only', 'identity_anonymous')) as DeviceDecision;
  });
}
