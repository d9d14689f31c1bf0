/** Bodies about which two readers could disagree: what we hold for valid and what we act on is the same. */
import { expect } from 'vitest';
import { type Area, jsonType, scene } from './attack.ts';

export const validation: Area = {
  area: 'what is validated and what is meant',
  attacks: [
    {
      name: 'a media type with a tab, a space, a tail, a suffix, or none',
      holds: 'exactly `application/json` in UTF-8 is read',
      async try() {
        const at = await scene();
        const types = [
          'application/json\ta',
          'application/json;',
          'application/json; charset=utf-7',
          'application/json;v=1',
          'application/ld+json',
          'application/jsonx',
          'text/json',
          'application/json, text/html',
          '*/*',
        ];
        for (const type of types) {
          const answer = await at.app.inject({
            method: 'POST',
            url: '/v1/decide',
            headers: { 'content-type': type },
            payload: '{"page":"home"}',
          });
          expect([answer.statusCode, answer.json().code], type).toEqual([415, 'unsupported_media_type']);
        }
        const bare = await at.wire(
          'POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 15\r\n\r\n{"page":"home"}',
        );
        expect(bare.answers[0]?.status).toBe(415);
        const spaced = await at.wire(
          'POST /v1/decide HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type:  application/json \r\nContent-Length: 15\r\n\r\n{"page":"home"}',
        );
        expect(spaced.answers[0]?.status).toBe(200);
      },
    },
    {
      name: 'JSON sent as text, as a form, as several parts',
      holds: 'a page elsewhere cannot send what a browser sends without asking',
      async try() {
        const at = await scene();
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
          for (const url of ['/v1/decide', '/v1/sessions', '/v1/revocations']) {
            const answer = await at.app.inject({ method: 'POST', url, headers: { 'content-type': type }, payload: '{"page":"home"}' });
            expect(answer.statusCode, `${type} ${url}`).toBe(415);
          }
        }
      },
    },
    {
      name: 'a list in place of an object, an object in place of a list or a text',
      holds: 'each is a 400 that names the place',
      async try() {
        const at = await scene();
        for (const [body, pointer] of [
          [[{ page: 'home' }], ''],
          [{ page: ['home'] }, '/page'],
          [{ page: { toString: 'home' } }, '/page'],
          [{ zones: { 0: 'hero', length: 1 } }, '/zones'],
          [{ zones: 'hero' }, '/zones'],
          [{ page: 'home', identity: [] }, '/identity'],
          [{ page: 'home', identity: { token: ['x'] } }, '/identity/token'],
          [{ page: 'home', consent: [] }, '/consent'],
          [{ page: 'home', context: { country: ['DE'] } }, '/context/country'],
          ['"home"', ''],
          [1, ''],
        ] as const) {
          const answer = await at.app.inject({ method: 'POST', url: '/v1/decide', headers: jsonType, payload: JSON.stringify(body) });
          expect([answer.statusCode, answer.json().errors?.[0]?.pointer], JSON.stringify(body)).toEqual([400, pointer]);
        }
      },
    },
    {
      name: 'consent that only looks given: `"false"`, `"true"`, `true`, 1, `"Granted"`',
      holds: 'no word but `granted` grants',
      async try() {
        const at = await scene();
        for (const state of ['false', 'true', 'Granted', 'granted ', 'GRANTED', 'yes', true, 1, ['granted'], { state: 'granted' }]) {
          const answer = await at.send('POST', '/v1/decide', { page: 'home', consent: { useCases: { offers: state } } });
          expect(answer.statusCode, JSON.stringify(state)).toBe(400);
        }
        for (const gdprApplies of ['false', 0, 'no']) {
          expect((await at.send('POST', '/v1/decide', { page: 'home', consent: { gdprApplies } })).statusCode).toBe(400);
        }
      },
    },
    {
      name: 'consent that is null, empty, or of a signal that says nothing',
      holds: '`null` is a 400, and what says nothing grants nothing',
      async try() {
        const at = await scene();
        for (const consent of [null, { tcf: null }, { useCases: null }, { useCases: { offers: null } }, { googleConsentMode: null }]) {
          expect((await at.send('POST', '/v1/decide', { page: 'home', consent })).statusCode, JSON.stringify(consent)).toBe(400);
        }
        for (const consent of [{}, { useCases: {} }, { tcf: '', gpp: '', usPrivacy: '' }, { useCases: { offers: 'unavailable' } }]) {
          const answer = await at.send('POST', '/v1/decide', { page: 'home', consent });
          expect(answer.statusCode, JSON.stringify(consent)).toBe(200);
          expect(Object.values(answer.json().consent)).not.toContain('granted');
        }
      },
    },
  ],
};
