import { describe, expect, it } from 'vitest';
import type { ConsentSignal, TokenEvidence } from '../../src/decision/facts.ts';
import type { Needs } from '../../src/decision/needs.ts';
import type { PersonalUseCase } from '../../src/decision/vocabulary.ts';
import { type Asker, readingFor, type StoreDependency } from '../../src/evidence/plan.ts';
import type { AskedUseCase } from '../../src/records/store.ts';
import { artefactWith, everything, nothing, person } from './scene.ts';

const nowMs = Date.UTC(2026, 10, 21);

function asker(changes: Partial<Asker> = {}): Asker {
  return {
    artefact: artefactWith({}),
    needs: everything,
    consent: { signals: [], gpc: false },
    token: person,
    tokenId: 'issuer\njti',
    deviceId: 'device',
    resolved: null,
    sessionId: 'session',
    nowMs,
    hasTime: () => true,
    ...changes,
  };
}

const anonymous = { token: { state: 'none' }, tokenId: null, deviceId: null } as const;

function noTimeFor(missing: StoreDependency): Asker['hasTime'] {
  return (dependency) => dependency !== missing;
}

function says(useCases: Extract<ConsentSignal, { state: 'valid' }>['useCases'], child = false): Asker['consent'] {
  return { signals: [{ state: 'valid', useCases, child }], gpc: false };
}

const onlyForTheProved = { needs: { ...everything, onlyProved: true }, consent: says({ offers: 'granted' }) } as const;

const grantsCountFromMs = nowMs - 180 * 86_400_000;
const grantsCountUntilMs = nowMs + 5 * 60_000;
const counting = { grantsCountFromMs, grantsCountUntilMs };
const asked = (useCase: PersonalUseCase, granted = false): AskedUseCase => ({ useCase, granted, supersedesBeforeMs: null });
const content = [asked('content_personalization'), asked('profile_activation_content')];
const offer = [asked('offers'), asked('profile_activation_offer')];

describe('the plan of one round trip', () => {
  it('names everything, when everything may be used', () => {
    expect(readingFor(asker()).plan).toEqual({
      subject: 'person-1',
      tokenId: 'issuer\njti',
      tokenGeneration: 2,
      provenUntilMs: 5_000,
      deviceId: 'device',
      resolvedLink: null,
      sessionId: 'session',
      consent: true,
      profile: { alternatives: [content, offer], ...counting },
      session: { alternatives: [[asked('content_personalization')], [asked('offers')]], ...counting },
      freshnessMaxMs: 0,
    });
  });

  it('names the session too where only the proved see it, and the visitor may be proved', () => {
    expect(readingFor(asker(onlyForTheProved)).plan?.session).not.toBeNull();
    expect(readingFor(asker({ ...onlyForTheProved, hasTime: noTimeFor('identity') })).plan?.session ?? null).toBeNull();
  });

  it('takes a token without a generation for generation 0', () => {
    expect(readingFor(asker({ token: { ...person, generation: null } })).plan?.tokenGeneration).toBe(0);
  });

  const untouched: readonly { readonly what: string; readonly changes: Partial<Asker> }[] = [
    { what: 'nobody asks anything', changes: { needs: nothing } },
    { what: 'nothing is known of the visitor', changes: { token: { state: 'none' }, tokenId: null, deviceId: null, sessionId: null } },
    { what: 'the token is invalid', changes: { token: { state: 'invalid' }, tokenId: null, deviceId: null, sessionId: null } },
    { what: 'there is no time', changes: { hasTime: () => false } },
  ];
  it.each(untouched)('does not exist where $what', ({ changes }) => {
    expect(readingFor(asker(changes)).plan).toBeNull();
  });

  it.each<[string, Partial<Asker>]>([
    ['no rung reads the session', { ...anonymous, needs: { ...everything, sessionKinds: [] }, consent: says({ offers: 'granted' }) }],
    ['no grant could open the session', anonymous],
    ['only the proved see it, and there is no token', { ...anonymous, ...onlyForTheProved }],
    ['only the proved see it, and the token is expired', { token: { ...person, expired: true }, ...onlyForTheProved }],
  ])('asks what was withdrawn in a session also where %s', (_, changes) => {
    const reading = readingFor(asker(changes));
    expect(reading.plan).toMatchObject({ sessionId: 'session', consent: true, session: null });
    expect([reading.sessionConsent, reading.session]).toEqual(['asked', 'refused']);
  });

  it('asks for the records of an expired token, whose denials still count, and for no profile', () => {
    const reading = readingFor(asker({ token: { ...person, expired: true } }));
    expect(reading.plan).toMatchObject({ subject: 'person-1', consent: true, profile: null });
    expect(reading.profile).toBe('refused');
  });

  const closed: readonly { readonly what: string; readonly changes: Partial<Asker> }[] = [
    { what: 'there is no token', changes: { token: { state: 'none' }, tokenId: null } },
    { what: 'the method is probabilistic', changes: { token: { ...person, method: 'probabilistic' } } },
    { what: 'the token is bound and nobody proved it', changes: { token: { ...person, binding: 'unproved' } } },
    { what: 'no rule reads it', changes: { needs: { ...everything, profileKinds: [] } } },
    { what: 'a signal did not decode', changes: { consent: { signals: [{ state: 'invalid' }], gpc: false } } },
    { what: 'the visitor is a child', changes: { consent: says({ offers: 'granted', content_personalization: 'granted' }, true) } },
    { what: 'selecting is denied for both kinds', changes: { consent: says({ offers: 'denied', content_personalization: 'denied' }) } },
    {
      what: 'activation is denied for both',
      changes: { consent: says({ profile_activation_content: 'denied', profile_activation_offer: 'denied' }) },
    },
    { what: 'GPC was sent, which denies both activations', changes: { consent: { signals: [], gpc: true } } },
    {
      what: 'the one kind that reads it is denied',
      changes: { needs: { ...everything, profileKinds: ['offer'] }, consent: says({ offers: 'denied' }) },
    },
  ];
  it.each(closed)('leaves the profile shut when $what', ({ changes }) => {
    const reading = readingFor(asker(changes));
    expect(reading.plan?.profile).toBeNull();
    expect(reading.profile).toBe('refused');
  });

  it('would read the profile in each of these cases but for the one thing wrong', () => {
    expect(readingFor(asker()).plan?.profile).not.toBeNull();
  });

  it('drops only the kind that is denied, and says what the request itself grants', () => {
    const consent = says({ offers: 'denied', content_personalization: 'granted' });
    expect(readingFor(asker({ consent })).plan?.profile?.alternatives).toEqual([
      [asked('content_personalization', true), asked('profile_activation_content')],
    ]);
  });

  it('lets a proof open the profile of a bound token', () => {
    expect(readingFor(asker({ token: { ...person, binding: 'proved' } })).plan?.profile).not.toBeNull();
  });

  const sessions: readonly {
    readonly what: string;
    readonly token: TokenEvidence;
    readonly consent: Asker['consent'];
    readonly read: boolean;
    readonly sessionKinds?: Needs['sessionKinds'];
  }[] = [
    { what: 'a stored grant may count for a proved person', token: person, consent: { signals: [], gpc: false }, read: true },
    { what: 'the request grants', token: { state: 'none' }, consent: says({ content_personalization: 'granted' }), read: true },
    { what: 'the request grants for offers', token: { state: 'none' }, consent: says({ offers: 'granted' }), read: true },
    { what: 'nobody grants', token: { state: 'none' }, consent: { signals: [], gpc: false }, read: false },
    {
      what: 'the token has expired and nobody grants',
      token: { ...person, expired: true },
      consent: { signals: [], gpc: false },
      read: false,
    },
    {
      what: 'the request grants the kind that no zone reads it for',
      token: { state: 'none' },
      consent: says({ offers: 'granted' }),
      sessionKinds: ['content'],
      read: false,
    },
    {
      what: 'the one kind that reads it is denied, though the other is granted',
      token: person,
      consent: says({ offers: 'denied', content_personalization: 'granted' }),
      sessionKinds: ['offer'],
      read: false,
    },
    {
      what: 'the token could not be verified, so nobody knows whose denials to ask for',
      token: { state: 'failed' },
      consent: says({ offers: 'granted' }),
      read: false,
    },
    {
      what: 'GPC denies offers and nobody grants content',
      token: { state: 'none' },
      consent: { ...says({ offers: 'granted' }), gpc: true },
      read: false,
    },
    { what: 'both kinds are denied', token: person, consent: says({ offers: 'denied', content_personalization: 'denied' }), read: false },
    {
      what: 'a grant stands beside a signal that did not decode',
      token: { state: 'none' },
      consent: { signals: [{ state: 'invalid' }, ...says({ offers: 'granted' }).signals], gpc: false },
      read: false,
    },
  ];
  it.each(sessions)('reads the session ($read) when $what', ({ token, consent, read, sessionKinds = everything.sessionKinds }) => {
    const reading = readingFor(asker({ token, tokenId: null, consent, needs: { ...everything, sessionKinds } }));
    expect(reading.session).toBe(read ? 'asked' : 'refused');
    expect([reading.plan?.session === null, reading.plan?.sessionId]).toEqual([!read, 'session']);
  });

  it('names for the session only what could grant it: the request, and for a proved person the store', () => {
    const consent = says({ content_personalization: 'granted' });
    const both = [[asked('content_personalization', true)], [asked('offers')]];
    expect(readingFor(asker({ consent })).plan?.session).toEqual({ alternatives: both, ...counting });
    const expired = readingFor(asker({ consent, token: { ...person, expired: true } }));
    expect(expired.plan?.session).toEqual({ alternatives: both.slice(0, 1), ...counting });
  });

  it('asks for a session alone where nobody is named', () => {
    expect(readingFor(asker({ ...anonymous, consent: says({ offers: 'granted' }) })).plan).toEqual({
      subject: null,
      tokenId: null,
      tokenGeneration: 0,
      deviceId: null,
      resolvedLink: null,
      sessionId: 'session',
      consent: true,
      profile: null,
      session: { alternatives: [[asked('offers', true)]], ...counting },
      freshnessMaxMs: 0,
    });
  });

  it.each(['identity', 'consent'] as const)(
    'leaves the profile shut when there is no time for %s, without which nobody may use it',
    (missing) => {
      const reading = readingFor(asker({ hasTime: (dependency) => dependency !== missing }));
      expect(reading.plan?.profile).toBeNull();
      expect(reading.profile).toBe('too_short');
    },
  );

  const granting = says({ content_personalization: 'granted' });
  const hurried: readonly { readonly what: string; readonly changes: Partial<Asker>; readonly session: string }[] = [
    {
      what: 'the record of a person, and no time for consent',
      changes: { deviceId: null, hasTime: noTimeFor('consent') },
      session: 'too_short',
    },
    {
      what: 'the record of whoever the device is linked to, and no time for consent',
      changes: { token: { state: 'none' }, tokenId: null, hasTime: noTimeFor('consent') },
      session: 'too_short',
    },
    {
      what: 'whom the device is linked to, and no time for identity',
      changes: { token: { state: 'none' }, tokenId: null, hasTime: noTimeFor('identity') },
      session: 'too_short',
    },
    {
      what: 'nobody: the token is known and its record is asked for',
      changes: { deviceId: null, hasTime: noTimeFor('identity') },
      session: 'asked',
    },
    {
      what: 'what was withdrawn in it, and no time for consent',
      changes: { ...anonymous, hasTime: noTimeFor('consent') },
      session: 'too_short',
    },
  ];
  it.each(hurried)('reads a session that the request allows ($session) when its consent waits for $what', ({ changes, session }) => {
    const reading = readingFor(asker({ consent: granting, ...changes }));
    expect(reading.session).toBe(session);
    expect(reading.plan?.session ?? null).toEqual(
      session === 'asked' ? { alternatives: [[asked('content_personalization', true)]], ...counting } : null,
    );
  });

  it('leaves a session that only a stored grant could open shut when there is no time to prove the person', () => {
    const reading = readingFor(asker({ deviceId: null, hasTime: noTimeFor('identity') }));
    expect([reading.session, reading.plan?.session, reading.plan?.sessionId]).toEqual(['too_short', null, 'session']);
  });
});
