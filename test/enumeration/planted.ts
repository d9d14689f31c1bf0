/**
 * Cores with one guard taken out, by handing the real core evidence from which what the guard looks at was removed. The enumeration
 * must catch each of them, or it proves nothing of that guard.
 */
import type { Artefact } from '../../src/decision/artefact.ts';
import { decide } from '../../src/decision/decide.ts';
import type {
  ConsentEvidence,
  ConsentSignal,
  Evidence,
  Fact,
  IdentityEvidence,
  StoredConsent,
  TokenEvidence,
} from '../../src/decision/facts.ts';
import type { Core } from './enumerate.ts';

type ChangeOf<T> = (one: T, nowMs: number) => Partial<T>;

function withConsent(change: ChangeOf<ConsentEvidence>): Core {
  return withEvidence((evidence, nowMs) => ({ consent: { ...evidence.consent, ...change(evidence.consent, nowMs) } }));
}

function withIdentity(change: ChangeOf<IdentityEvidence>): Core {
  return withEvidence((evidence, nowMs) => ({ identity: { ...evidence.identity, ...change(evidence.identity, nowMs) } }));
}

function withToken(change: ChangeOf<Extract<TokenEvidence, { state: 'verified' }>>): Core {
  return withIdentity(({ token }, nowMs) => (token.state === 'verified' ? { token: { ...token, ...change(token, nowMs) } } : {}));
}

function withRecord(change: (record: StoredConsent, nowMs: number) => StoredConsent): Core {
  return withConsent(({ stored }, nowMs) =>
    stored.state === 'known' ? { stored: { ...stored, value: change(stored.value, nowMs) } } : {},
  );
}

function withEvidence(change: ChangeOf<Evidence>): Core {
  return (artefact, question, evidence) => decide(artefact, question, { ...evidence, ...change(evidence, question.nowMs) });
}

/** Changed once for each policy: the core may remember what it worked out about one. */
function withArtefact(change: ChangeOf<Artefact>): Core {
  const changed = new WeakMap<Artefact, Artefact>();
  return (artefact, question, evidence) => {
    const other = changed.get(artefact) ?? { ...artefact, ...change(artefact, question.nowMs) };
    changed.set(artefact, other);
    return decide(other, question, evidence);
  };
}

/** What did not come, taken for what is not there. */
function absentFor<T>(fact: Fact<T>, states: readonly Fact<T>['state'][]): Fact<T> {
  return states.includes(fact.state) ? { state: 'absent' } : fact;
}

const neverDates = (signals: readonly ConsentSignal[], day: number) =>
  signals.map((signal) => (signal.state === 'valid' && signal.day === undefined ? { ...signal, day } : signal));

/** By what was taken out. */
export const plantedCores = {
  'ignores GPC': withConsent(() => ({ gpc: false })),
  'takes a late record for an absent one': withConsent(({ stored }) => ({ stored: absentFor(stored, ['late']) })),
  'takes a failed record for an absent one': withConsent(({ stored }) => ({ stored: absentFor(stored, ['failed']) })),
  'forgets the record of the linked person': withConsent(() => ({ linked: { state: 'absent' } })),
  'takes a late linked record for an absent one': withConsent(({ linked }) => ({ linked: absentFor(linked, ['late']) })),
  'forgets the record of the session': withConsent(() => ({ session: { state: 'absent' } })),
  'hears no child signal': withConsent(({ signals }) => ({ signals: signals.filter((one) => one.state === 'invalid' || !one.child) })),
  'overlooks invalid signals': withConsent(({ signals }) => ({ signals: signals.filter(({ state }) => state !== 'invalid') })),
  'lets an explicit use case supersede a stored denial': withConsent(({ signals }) => ({ signals: neverDates(signals, 30_000) })),
  'lets stored grants live for ever': withRecord((record, nowMs) =>
    record.recordedAtMs < nowMs ? { ...record, recordedAtMs: nowMs } : record,
  ),
  'believes grants of tomorrow': withRecord((record, nowMs) => (record.recordedAtMs > nowMs ? { ...record, recordedAtMs: nowMs } : record)),
  'ignores the generation': withIdentity(() => ({ generation: { state: 'known', value: 0 } })),
  'takes a late generation for none': withIdentity(({ generation }) =>
    generation.state === 'late' ? { generation: { state: 'known', value: 0 } } : {},
  ),
  'ignores the denylist': withIdentity(() => ({ tokenRevoked: { state: 'known', value: false } })),
  'takes a failed denylist for an empty one': withIdentity(({ tokenRevoked }) =>
    tokenRevoked.state === 'failed' ? { tokenRevoked: { state: 'known', value: false } } : {},
  ),
  'sees no conflict between token and device': withIdentity(({ device }) => ({ device: absentFor(device, ['known']) })),
  'takes a late device link for none': withIdentity(({ device }) => ({ device: absentFor(device, ['late']) })),
  'overlooks that a device changed hands': withIdentity(({ device }) =>
    device.state === 'known' && device.value.sharedSinceMs !== undefined
      ? { device: { ...device, value: { subject: device.value.subject, method: device.value.method, confidencePpm: 0 } } }
      : {},
  ),
  'takes expired tokens for fresh': withToken(() => ({ expired: false })),
  'takes probable people for proved': withToken(() => ({ method: 'deterministic' })),
  'asks no proof of a holder-bound token': withToken(({ binding }) => ({ binding: binding === 'unproved' ? 'proved' : binding })),
  'asks no proof for sensitive classes': withToken(({ binding }) => ({ binding: binding === 'none' ? 'proved' : binding })),
  'takes a proof that may be a replay': withToken(({ binding }) => ({ binding: binding === 'late' ? 'proved' : binding })),
  'asks no fresh authentication': withToken((_token, nowMs) => ({ authTimeSeconds: nowMs / 1000 })),
  'allows one second too much since authentication': withToken(({ authTimeSeconds }) => ({
    authTimeSeconds: authTimeSeconds === null ? null : authTimeSeconds + 1,
  })),
  'believes any session id': withIdentity(({ session }) =>
    session.state === 'invalid' ? { session: { state: 'verified', id: 's-1' } } : {},
  ),
  'needs no explicit consent to a category': withRecord((record) => ({
    ...record,
    useCases: { ...record.useCases, 'category:health': 'granted' },
  })),
  'forgets the caps of dependencies': withArtefact(({ dependencies }) => ({
    dependencies: Object.fromEntries(
      Object.entries(dependencies).map(([name, settings]) => [name, { ...settings, onFailure: null }]),
    ) as Artefact['dependencies'],
  })),
  'lets a browser key see what others see': (artefact, { onlyProved: _forgotten, ...question }, evidence) =>
    decide(artefact, question, evidence),
  'makes a grant as young as a later withdrawal': withRecord(({ grantedAtMs: _forgotten, ...record }) => record),
  'hears no refusal of sensitive data': withConsent(({ signals }) => ({
    signals: signals.filter((one) => one.state === 'invalid' || !one.refusesSensitive),
  })),
  'needs no signal for the segment rung': withArtefact(() => ({ contextualWithoutSignal: true })),
} as const satisfies Readonly<Record<string, Core>>;
