/** The bare clients of OFREP, the one that the provider for servers needs and the newest, as published. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkOfrep } from '../http/ofrep-shapes.ts';
import { type OfrepCoreVersion, ofrepApi, thrown } from './clients.ts';
import { type ServiceProcess, startProcess } from './service-process.ts';

const versions: readonly OfrepCoreVersion[] = ['0.1.4', '2.3.0'];
const key = (name: string) => [['X-API-Key', `key-${name}`]] as const;

let url = '';
let stop = (): Promise<void> => Promise.resolve();
beforeAll(async () => {
  const service: ServiceProcess = await startProcess({
    until(end) {
      stop = end;
    },
  });
  url = service.url;
});
afterAll(() => stop());

describe.each(versions)('ofrep-core %s', (version) => {
  it('takes every answer for what it is', async () => {
    const api = await ofrepApi(version, url, key('app'));
    const one = await api.one('object-flag', { targetingKey: 'somebody' });
    expect(one).toMatchObject({ httpStatus: 200, value: { key: 'object-flag', reason: 'DEFAULT', variant: 'template' } });
    checkOfrep('single', one.httpStatus, one.value);
    const all = await api.all({ page: 'types' });
    checkOfrep('bulk', all.httpStatus, all.value);
    const flags = all.value?.flags as readonly { readonly key: string; readonly value: unknown }[];
    expect(flags.map((flag) => [flag.key, flag.value])).toEqual([
      ['boolean-flag', true],
      ['float-flag', 0.5],
      ['integer-flag', 10],
      ['object-flag', { showImages: true, title: 'Look at these', imagesPerPage: 100 }],
      ['string-flag', 'hi'],
    ]);
    const unknown = await api.one('no-such-flag', {});
    expect(unknown).toMatchObject({ httpStatus: 404, value: { key: 'no-such-flag', errorCode: 'FLAG_NOT_FOUND' } });
    checkOfrep('single', unknown.httpStatus, unknown.value);
  });

  it('holds what did not change, by its ETag', async () => {
    const api = await ofrepApi(version, url, key('app'));
    const first = await api.all({ plan: 'inner' });
    const etag = first.httpResponse.headers.get('etag');
    expect(await api.all({ plan: 'inner' }, etag)).toMatchObject({ httpStatus: 304, value: undefined });
    expect(await api.all({ plan: 'outer' }, etag)).toMatchObject({ httpStatus: 200 });
  });

  it('knows a wrong key, a narrow one and one that asks too often for what they are', async () => {
    const all = async (name: string) => (await ofrepApi(version, url, key(name))).all({});
    await expect(all('nobody')).rejects.toMatchObject({ name: thrown.unauthorized });
    await expect(all('narrow')).rejects.toMatchObject({ name: thrown.forbidden });
    const often = async () => {
      for (;;) await all('slow');
    };
    await expect(often()).rejects.toMatchObject({ name: thrown.tooMany, retryAfterSeconds: 1 });
  });

  it('reads every mistake as an answer, where another status would be a broken service to it', async () => {
    const api = await ofrepApi(version, url, [...key('app'), ['Stepwell-Deadline-Ms', 'soon']]);
    expect(await api.one('string-flag', {})).toMatchObject({
      httpStatus: 400,
      value: { key: 'string-flag', errorCode: 'INVALID_CONTEXT' },
    });
    expect(await api.all({})).toMatchObject({ httpStatus: 400, value: { errorCode: 'INVALID_CONTEXT' } });
    const large = await ofrepApi(version, url, key('app'));
    expect(await large.all({ text: 'x'.repeat(40_000) })).toMatchObject({ httpStatus: 400, value: { errorCode: 'GENERAL' } });
  });
});
