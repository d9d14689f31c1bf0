/** Ids that name no one person or device: refused with a reason where they are written, as if absent where they are presented. */
import { describe, expect, it } from 'vitest';
import { keySetOf } from '../../src/identity/key-set.ts';
import { generateIssuerKeys, mintToken } from '../../src/identity/mint.ts';
import { createTokenVerifier } from '../../src/identity/token.ts';
import { faultOfIdentifier, faultOfSubject } from '../../src/records/nobody.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { startService } from './service.ts';

const contacts = [
  'ada@example.com',
  ' ada@example.com',
  'mailto:ada@example.co.uk',
  '+49 170 1234567',
  '+491701234567',
  '0049 (170) 123-4567',
  'tel:+1.202.555.0123',
];
const nobody = ['', '0', '00-00', '-1', 'null', 'Undefined', ' anonymous ', '(not set)', '[object Object]'];
const people = [
  'ada',
  'a',
  'person-7f3a9c',
  '12345',
  'x@y',
  '@ada',
  '00ab12cd',
  '+49',
  '0012',
  '0012345678',
  'urn:uuid:0b0e',
  '170 1234567',
  'aaaa',
];
const devices = ['d-demo-ada', 'd-1', 'abcde', 'd1', '1234567890.1234567890', '3f2504e0-4f89-11d3-9a0c-0305e82c3301'];
const short = ['a', '7', '12345', '  123   '];
const monotonous = ['aaaaaaaa', 'ababababab', '11111111'];

describe('an id', () => {
  it.each(contacts)('%j says who somebody is, so it names neither a person nor a device', (id) => {
    expect([faultOfSubject(id), faultOfIdentifier(id)]).toEqual(['contact', 'contact']);
  });

  it.each(nobody)('%j stands for nobody', (id) => {
    expect([faultOfSubject(id), faultOfIdentifier(id)]).toEqual(['nobody', 'nobody']);
  });

  it.each(people)('%j may name a person: how long an id is, is its issuer’s business', (id) => {
    expect(faultOfSubject(id)).toBeNull();
  });

  it.each(devices)('%j may name a device', (id) => {
    expect(faultOfIdentifier(id)).toBeNull();
  });

  it.each([...short.map((id) => [id, 'short']), ...monotonous.map((id) => [id, 'monotonous'])])(
    '%j names no device: it is %s',
    (id, fault) => {
      expect(faultOfIdentifier(id ?? '')).toBe(fault);
    },
  );
});

describe('over HTTP, such an id', () => {
  const writes: readonly (readonly [string, 'PUT' | 'POST', (id: string) => string, (id: string) => object, string])[] = [
    ['a profile', 'PUT', (id) => `/v1/profiles/${encodeURIComponent(id)}`, () => ({}), '/subject'],
    [
      'a consent',
      'PUT',
      (id) => `/v1/consents/${encodeURIComponent(id)}`,
      () => ({ useCases: {}, recordedAt: '2026-11-21T12:00:00Z' }),
      '/subject',
    ],
    [
      'a device',
      'PUT',
      (id) => `/v1/identities/device/${encodeURIComponent(id)}`,
      () => ({ subject: 'ada', method: 'deterministic' }),
      '/value',
    ],
    [
      'an e-mail hash of yours',
      'PUT',
      (id) => `/v1/identities/crm/${encodeURIComponent(id)}`,
      () => ({ subject: 'ada', method: 'deterministic' }),
      '/value',
    ],
    ['a device’s subject', 'PUT', () => '/v1/identities/device/d-one-1', (id) => ({ subject: id, method: 'deterministic' }), '/subject'],
    ['a revocation', 'POST', () => '/v1/revocations', (id) => ({ subject: id }), '/subject'],
  ];

  it.each(writes)('is refused for %s, with what to write and without repeating it', async (_, method, urlOf, payloadOf, pointer) => {
    const { app } = await startService();
    for (const id of ['ada@example.com', '+491701234567']) {
      const response = await app.inject({ method, url: urlOf(id), payload: payloadOf(id) });
      expect(response.statusCode).toBe(400);
      expect(response.json().errors).toMatchObject([{ pointer, detail: expect.stringMatching(/write a random id/) }]);
      expect(response.body).not.toContain(id);
    }
  });

  it('is refused for a device, also where it is only too short or too plain', async () => {
    const { app } = await startService();
    const payload = { subject: 'ada', method: 'deterministic' };
    for (const [id, detail] of [
      ['12345', /at least 6 digits/],
      ['aaaaaaa', /at least 3 different/],
    ] as const) {
      const response = await app.inject({ method: 'PUT', url: `/v1/identities/device/${id}`, payload });
      expect(response.json().errors, id).toMatchObject([{ in: 'path', pointer: '/value', detail: expect.stringMatching(detail) }]);
    }
  });

  it('links nobody in a decision, even where such a link is stored', async () => {
    const { app, store } = await startService();
    const link = { subject: 'ada', method: 'deterministic', confidencePpm: 1_000_000 } as const;
    const stateOf = async (deviceId: string) => {
      const { statusCode, body } = await app.inject({
        method: 'POST',
        url: '/v1/decide',
        payload: { zones: ['hero'], identity: { deviceId } },
      });
      return [statusCode, JSON.parse(body).identity.state];
    };
    for (const id of ['d-one-1', '12345', 'aaaaaaa', 'ada@example.com']) await store.putIdentity('device', id, link, 60);
    expect(await stateOf('d-one-1')).toEqual([200, 'partial']);
    for (const id of ['12345', 'aaaaaaa', 'ada@example.com']) expect(await stateOf(id), id).toEqual([200, 'anonymous']);
  });

  it('makes no token', async () => {
    const [keys, clock, parties] = [await generateIssuerKeys(), new VirtualClock(), { issuer: 'i', audience: 'a' }];
    const verifier = createTokenVerifier({ keySet: await keySetOf(keys.jwks), ...parties, clock });
    for (const subject of ['ada@example.com', '+491701234567']) {
      const token = await mintToken({ ...keys, ...parties, subject, nowMs: clock.nowMs(), lifetimeSeconds: 60 });
      expect((await verifier.verify(token)).evidence.state).toBe('invalid');
    }
  });
});
