/**
 * The decision table of the privacy requirements, cell by cell, and its 324 rows: identity × consent to select × consent to activate ×
 * sensitivity. Each cell is the highest tier at which something of that class may be chosen; `anonymous` where nothing may.
 */
import type { Tier } from '../../src/decision/vocabulary.ts';
import type { AbstractRule, AbstractZone, Class, Says, State, Token } from './state.ts';

const identities = ['anonymous', 'session_known', 'partial', 'high, long ago', 'high, unbound', 'high, fresh and bound'] as const;
export type Identity = (typeof identities)[number];
const sensitivities = ['S0', 'S1', 'S2', 'S3', 'S3 with all conditions', 'SC'] as const;
export type SensitivityRow = (typeof sensitivities)[number];

/** Columns: select not granted · select granted and activation not · both granted. */
type Cells = readonly [Tier, Tier, Tier];

const nowhere: Cells = ['anonymous', 'anonymous', 'anonymous'];
const proved: Cells = ['anonymous', 'anonymous', 'user'];

const cells: Readonly<Record<SensitivityRow, Readonly<Record<Identity, Cells>>>> = {
  S0: same(['anonymous', 'segment', 'segment']),
  S1: {
    anonymous: ['anonymous', 'segment', 'segment'],
    session_known: ['anonymous', 'session', 'session'],
    partial: ['anonymous', 'session', 'session'],
    'high, long ago': ['anonymous', 'session', 'user'],
    'high, unbound': ['anonymous', 'session', 'user'],
    'high, fresh and bound': ['anonymous', 'session', 'user'],
  },
  S2: { ...same(nowhere), 'high, fresh and bound': proved },
  S3: same(nowhere),
  'S3 with all conditions': { ...same(nowhere), 'high, fresh and bound': proved },
  SC: same(nowhere),
};

function same(row: Cells): Readonly<Record<Identity, Cells>> {
  return Object.fromEntries(identities.map((identity) => [identity, row])) as Record<Identity, Cells>;
}

export interface Row {
  readonly identity: Identity;
  readonly select: Says;
  readonly activation: Says;
  readonly sensitivity: SensitivityRow;
  readonly expected: Tier;
}

const says = ['granted', 'denied', 'nothing'] as const;

export const rows: readonly Row[] = identities.flatMap((identity) =>
  sensitivities.flatMap((sensitivity) =>
    says.flatMap((select) =>
      says.map((activation): Row => {
        const column = select !== 'granted' ? 0 : activation === 'granted' ? 2 : 1;
        return { identity, select, activation, sensitivity, expected: cells[sensitivity][identity][column] };
      }),
    ),
  ),
);

// ------------------------------------------------------------------------------------------------------------------ concretely

const verified: Token = {
  is: 'verified',
  probabilistic: false,
  expired: false,
  binding: 'proved',
  authenticated: 'now',
  generation: 'current',
  revoked: 'no',
};
const tokens: Readonly<Record<Identity, Token>> = {
  anonymous: { is: 'none' },
  session_known: { is: 'none' },
  partial: { ...verified, expired: true },
  'high, long ago': { ...verified, authenticated: 'past' },
  'high, unbound': { ...verified, binding: 'none' },
  'high, fresh and bound': verified,
};

export function stateOfRow({ identity, select, activation, sensitivity }: Row): State {
  const hasSession = identity !== 'anonymous';
  const consents = sensitivity === 'S3 with all conditions' ? ('granted' as const) : ('nothing' as const);
  return {
    token: tokens[identity],
    device: 'none',
    sessionId: hasSession ? 'verified' : 'none',
    request: { select, activation, contextual: 'nothing', day: null, also: sensitivity === 'SC' ? 'child' : 'nothing', gpc: false },
    stored:
      tokens[identity].is === 'none'
        ? { is: 'refused' }
        : { is: 'known', select: 'nothing', activation: 'nothing', category: consents, day: -1 },
    linked: { is: 'refused' },
    ofSession: { is: hasSession ? 'absent' : 'refused' },
    profile: 'matching',
    session: hasSession ? 'matching' : 'refused',
  };
}

/** What is of class S0 is a segment's; of any other class, something stands on every rung. */
export function zonesOfRow({ sensitivity }: Row): readonly AbstractZone[] {
  const ofClass: Class = sensitivity === 'SC' ? 'S1' : sensitivity.startsWith('S3') ? 'S3:health' : (sensitivity as Class);
  const rules: readonly AbstractRule[] = [{ class: ofClass, reads: 'nothing' }];
  const rungs = sensitivity === 'S0' ? { segment: rules } : { user: rules, session: rules, segment: rules };
  return (['content', 'offer'] as const).flatMap((kind) =>
    (['choose', 'arbitrate'] as const).map(
      (by): AbstractZone => ({
        id: `${kind}-${by}-${ofClass.replace(':', '-')}`,
        kind,
        class: 'S0',
        late: 'fallback',
        criticality: 0,
        by,
        rungs,
      }),
    ),
  );
}
