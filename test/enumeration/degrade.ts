/**
 * Every way to make one input of a state worse: a grant fewer or a denial more, a fact that does not come, a person less proved. What
 * takes a record with its denial out of account (a token that is not sent, or revoked, is as if there were none, and its record with
 * it) is no loss of evidence by the rules, and is left out where there is such a denial.
 */
import { type RecordFact, type Request, type Says, type State, type Token, troubles } from './state.ts';

type Verified = Extract<Token, { is: 'verified' }>;

export interface Worse {
  readonly how: string;
  readonly state: State;
}

const lessThan: Readonly<Record<Says, readonly Says[]>> = { granted: ['nothing', 'denied'], nothing: ['denied'], denied: [] };

export function degradations(state: State): readonly Worse[] {
  return [...ofRequest(state), ...ofToken(state), ...ofDevice(state), ...ofRecords(state), ...ofSessionId(state), ...ofData(state)];
}

function ofRequest(state: State): Worse[] {
  const { request } = state;
  const worse = (how: string, change: Partial<Request>): Worse => ({ how, state: { ...state, request: { ...request, ...change } } });
  return [
    ...(['select', 'activation', 'contextual'] as const).flatMap((what) =>
      lessThan[request[what]].map((says) => worse(`${what} ${says}`, { [what]: says })),
    ),
    ...(request.gpc ? [] : [worse('GPC', { gpc: true })]),
    ...(request.also === 'nothing'
      ? (['invalid', 'child', 'activation_denied', 'sensitive_refused'] as const).map((also) => worse(also, { also }))
      : []),
    ...(request.day === null ? [] : [worse('no date', { day: null }), worse('an older string', { day: request.day - 1 })]),
  ];
}

function ofToken(state: State): Worse[] {
  const { token } = state;
  const put = (how: string, worse: Token): Worse => ({ how, state: { ...state, token: worse } });
  const unknown = (['late', 'failed', 'overload'] as const).map((is) => put(`the token ${is}`, { is }));
  if (token.is !== 'verified') return token.is === 'none' ? unknown : [];
  const worse = (change: Partial<Verified>): Worse => put(JSON.stringify(change), { ...token, ...change });
  // What is not asked for neither fails nor caps.
  const isCapping = [token.generation, token.revoked, token.binding].some(isTrouble);
  const gone =
    mayDeny(state.stored) || isCapping
      ? []
      : [
          worse({ revoked: 'yes' }),
          ...(['none', 'invalid', 'long_expired', 'keys_stale'] as const).map((is) => put(`the token is ${is}`, { is })),
        ];
  return [
    ...unknown,
    ...gone,
    worse({ expired: true }),
    worse({ probabilistic: true }),
    ...(token.binding === 'proved' || token.binding === 'none'
      ? (['none', 'unproved', 'late', 'failed'] as const).map((binding) => worse({ binding }))
      : []),
    ...(token.authenticated === 'now' ? (['edge', 'past', 'never'] as const).map((authenticated) => worse({ authenticated })) : []),
    ...(token.generation === 'current' ? (['behind', 'unsaid', ...troubles] as const).map((generation) => worse({ generation })) : []),
    ...(token.revoked === 'no' ? troubles.map((revoked) => worse({ revoked })) : []),
  ];
}

function ofDevice(state: State): Worse[] {
  const worse = (how: string, change: Partial<State>): Worse => ({ how, state: { ...state, ...change } });
  const lost = troubles.map((device) => worse(`the device ${device}`, { device, linked: { is: 'refused' } }));
  const conflict = worse('another person on the device', { device: 'other', linked: { is: 'absent' } });
  if (state.device === 'none' || state.device === 'unlinked') return [...lost, conflict];
  if (state.device !== 'same') return state.device === 'other' ? lost : [];
  const changedHands = worse('the device changed hands', { device: 'taken_over' });
  return mayDeny(state.linked) ? [...lost, changedHands] : [...lost, changedHands, conflict];
}

function ofRecords(state: State): Worse[] {
  return (['stored', 'linked', 'ofSession'] as const).flatMap((which) => {
    const record = state[which];
    const isOfSame = which !== 'ofSession' && (state.device === 'same' || state.device === 'taken_over');
    // The device's person is the token's: there is one record.
    const put = (how: string, worse: RecordFact): Worse => ({
      how: `${which} ${how}`,
      state: isOfSame ? { ...state, stored: worse, linked: worse } : { ...state, [which]: worse },
    });
    const notCome = [...troubles, 'refused' as const].map((is) => put(is, { is }));
    if (record.is !== 'known') return record.is === 'absent' ? notCome : [];
    const said = (['select', 'activation', 'category'] as const).flatMap((what) =>
      lessThan[record[what]].map((says) => put(`${what} ${says}`, { ...record, [what]: says })),
    );
    const aged = mayDeny(record) ? [] : [put('absent', { is: 'absent' }), put('too old', { ...record, day: -400, grantedDay: -400 })];
    return [...notCome, ...said, ...aged];
  });
}

function ofSessionId(state: State): Worse[] {
  if (state.sessionId !== 'verified' || mayDeny(state.ofSession) || isTrouble(state.session)) return [];
  return (['none', 'invalid'] as const).map((sessionId) => ({
    how: `the session id ${sessionId}`,
    state: { ...state, sessionId, ofSession: { is: 'refused' }, session: 'refused' },
  }));
}

function ofData(state: State): Worse[] {
  return (['profile', 'session'] as const).flatMap((which) =>
    state[which] === 'matching' || state[which] === 'other'
      ? (['absent', 'refused', ...troubles] as const).map((fact) => ({ how: `${which} ${fact}`, state: { ...state, [which]: fact } }))
      : [],
  );
}

function isTrouble(fact: string): boolean {
  return (troubles as readonly string[]).includes(fact);
}

/** A denial, or what may hide one. */
function mayDeny(record: RecordFact): boolean {
  if (record.is !== 'known') return record.is !== 'absent';
  return [record.select, record.activation, record.category].includes('denied');
}
