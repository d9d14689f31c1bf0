/**
 * The decision as an oracle: somebody who holds an API key for decisions, a session and a device goes through ids of other people and
 * looks at every answer, to learn who is a customer, what is known of them and what they agreed to. There is nothing to learn.
 */
import { expect, it } from 'vitest';
import { newKey } from '../identity/issuer.ts';
import { agreed, headerOf, type Scene, scene, signed } from './attack.ts';

/** Everything of an answer but its own id, its time and how long each stage took. */
function seen(answer: Awaited<ReturnType<Scene['decide']>>): string {
  const { decisionId: _, deadline: __, ...body } = JSON.parse(answer.text);
  const { date: ___, 'stepwell-request-id': ____, 'server-timing': _____, ...headers } = answer.headers;
  return JSON.stringify({ status: answer.status, headers, body });
}

const known = {
  gold: { attributes: { loyalty: 'gold' }, audiences: ['lapsed'] },
  silver: { attributes: { loyalty: 'silver', days_since_order: 3 }, audiences: [] },
} as const;
const refusal = { content_personalization: 'denied', offers: 'denied' } as const;

/** People of whom very different things are known, and one of whom nothing is. */
async function people(at: Scene): Promise<readonly string[]> {
  await at.store.putProfile('person-gold', known.gold, 3600);
  await at.store.putProfile('person-silver', known.silver, 3600);
  await at.send('PUT', '/v1/consents/person-silver', { useCases: refusal, recordedAt: '2026-11-20T00:00:00Z' });
  await at.send('POST', '/v1/revocations', { subject: 'person-gold' });
  return ['person-gold', 'person-silver', 'person-never'];
}

it('an id in the place of a token, a session or a proof tells nothing, whoever’s it is', async () => {
  const at = await scene();
  const ids = await people(at);
  const made = await at.send('POST', '/v1/sessions', { attributes: { last_category: 'shoes' } });
  const { sessionId } = made.json();
  for (const identityOf of [
    (id: string) => ({ token: id }),
    (id: string) => ({ sessionId: id }),
    (id: string) => ({ sessionId, token: id }),
    (id: string) => ({ sessionId, proof: id, deviceId: `dev-${id}` }),
    (id: string) => ({ token: signed(newKey('k1'), headerOf(at.key), { ...at.claims(), sub: id }), sessionId }),
  ]) {
    const answers = await Promise.all(
      ids.map((id) => at.decide({ zones: ['hero', 'offer_rail'], identity: identityOf(id), consent: agreed })),
    );
    expect(new Set(answers.map(seen)).size, identityOf('x').toString()).toBe(1);
    expect(new Set(answers.map(({ headers }) => headers['content-length'])).size).toBe(1);
    for (const { headers } of answers)
      for (const name of ['etag', 'last-modified', 'vary', 'set-cookie']) expect(headers).not.toHaveProperty(name);
  }
});

it('a device that is linked to somebody tells that it is linked, and nothing of whom: variants, headers and lengths are the same', async () => {
  const at = await scene();
  const ids = await people(at);
  const devices = ids
    .filter((id) => id !== 'person-silver')
    .map((id) => ({ id, device: `device-of-${id.replace('person-', '').padEnd(5, '0')}` }));
  for (const { id, device } of devices)
    expect((await at.send('PUT', `/v1/identities/device/${device}`, { subject: id, method: 'deterministic' })).statusCode).toBe(201);
  for (const consent of [agreed, {}, { useCases: refusal }]) {
    const answers = await Promise.all(
      devices.map(({ device }) => at.decide({ zones: ['hero', 'offer_rail'], identity: { deviceId: device }, consent })),
    );
    expect(new Set(answers.map(seen)).size).toBe(1);
    for (const { zones } of answers) expect(zones.every(({ tier }) => tier === 'anonymous' || tier === 'segment')).toBe(true);
  }
});

it('the attributes of a request that nobody verified bring no answer that anybody’s data has changed', async () => {
  const at = await scene();
  const ask = () =>
    Promise.all(['DE', 'US'].map((country) => at.decide({ zones: ['hero', 'offer_rail'], context: { country }, consent: agreed })));
  const before = (await ask()).map(seen);
  await people(at);
  expect((await ask()).map(seen)).toEqual(before);
});

it('can be told: whoever proves to be somebody sees what is theirs', async () => {
  const at = await scene();
  await people(at);
  const answers = await Promise.all(
    ['person-gold', 'person-never'].map((sub) =>
      at.decide({ identity: { token: signed(at.key, headerOf(at.key), { ...at.claims(), sub, gen: 9 }) }, consent: agreed }),
    ),
  );
  expect(new Set(answers.map(seen)).size).toBe(2);
});
