/** An application on a server, with OpenFeature's SDK and its OFREP provider as published: it knows nothing of Stepwell. */
import { describe, expect, it } from 'vitest';
import { checkDetails } from './check-details.ts';
import { type Client, type Context, type Details, type FlagType, ofrepProvider, serverSdk } from './clients.ts';
import { type Case, scenarios } from './scenarios.ts';
import { type ServiceProcess, startProcess } from './service-process.ts';

const asked = { boolean: 'getBooleanDetails', string: 'getStringDetails', number: 'getNumberDetails', object: 'getObjectDetails' } as const;

function details(client: Client, { key, type, fallback, context }: Pick<Case, 'key' | 'type' | 'fallback' | 'context'>): Promise<Details> {
  return client[asked[type]](key, fallback as never, { targetingKey: 'somebody', ...context });
}

let domains = 0;

async function application({ url }: ServiceProcess, key = 'app'): Promise<Client> {
  const { OpenFeature } = await serverSdk();
  const { OFREPProvider } = await ofrepProvider();
  const domain = `application-${domains++}`;
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl: url, headers: [['Authorization', `Bearer key-${key}`]] }));
  return OpenFeature.getClient(domain);
}

describe('the evaluation scenarios of OpenFeature and flagd', () => {
  // Asked of one service, which nothing here changes.
  it('come to what the table says', async () => {
    const client = await application(await startProcess());
    let cases = 0;
    for (const { suite, name, here } of scenarios) {
      if (typeof here === 'string') continue;
      expect(here.length, `${suite}: ${name}`).toBeGreaterThan(0);
      for (const one of here) {
        try {
          checkDetails(await details(client, one), one);
        } catch (error) {
          throw new Error(`${suite}: ${name}: ${one.key} with ${JSON.stringify(one.context ?? {})}`, { cause: error });
        }
        cases++;
      }
    }
    expect(cases).toBeGreaterThan(100);
  });

  it('would fail on a value that is not the table’s', async () => {
    const client = await application(await startProcess());
    const planted: Case = { key: 'integer-flag', type: 'number', fallback: 1, value: 11, reason: 'DEFAULT' };
    const told = await details(client, planted);
    expect(() => checkDetails(told, planted)).toThrow();
  });
});

describe('an application on a server', () => {
  let service: ServiceProcess;
  let client: Client;
  const value = async (key: string, context: Context = {}, type: FlagType = 'string') =>
    details(client, { key, type, fallback: 'its own', context });

  it('tells who the visitor is by a token, and never by a targeting key', async () => {
    service = await startProcess();
    client = await application(service);
    const consent = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted' } };
    const proved = await value('personal-flag', { token: await service.tokenOf('ada'), consent });
    expect([proved.value, proved.reason, proved.flagMetadata.tier]).toEqual(['for you', 'TARGETING_MATCH', 'user']);
    const claimed = await value('personal-flag', { targetingKey: 'ada', consent });
    expect([claimed.value, claimed.flagMetadata.downgradeReason]).toEqual(['for everybody', 'identity_anonymous']);
  });

  it('obeys a withdrawal with its very next evaluation', async () => {
    service = await startProcess();
    client = await application(service);
    const consent = { useCases: { content_personalization: 'granted', profile_activation_content: 'granted' } };
    const token = await service.tokenOf('ada');
    expect((await value('personal-flag', { token, consent })).value).toBe('for you');
    expect((await service.send('POST', '/v1/consents/ada/withdrawals', {})).status).toBe(200);
    const after = await value('personal-flag', { token, consent });
    expect([after.value, after.flagMetadata.downgradeReason]).toEqual(['for everybody', 'consent_denied']);
  });

  it('is left with its own value for a content that is nothing', async () => {
    service = await startProcess();
    client = await application(service);
    expect(await value('nothing-flag')).toMatchObject({ value: 'its own', reason: 'ERROR', errorCode: 'GENERAL' });
  });

  it.each(['a/b', 'a/b/c', 'string-flag/', '100%', 'nothing'])('is told that there is no flag %s', async (key) => {
    service = await startProcess();
    client = await application(service);
    expect(await value(key)).toMatchObject({ value: 'its own', reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' });
  });

  it('is told to wait by a 429, asks nobody meanwhile, and is served again after it', async () => {
    service = await startProcess();
    client = await application(service, 'slow');
    const told: (string | undefined)[] = [];
    // The first it is told by us; and then by the client itself, until the instant that the answer named.
    while (!told.some((message) => message?.includes('paused due to TooManyRequests'))) {
      const answer = await value('string-flag');
      expect(answer.value).toBe(answer.reason === 'ERROR' ? 'its own' : 'hi');
      told.push(answer.errorMessage);
    }
    expect(told.some((message) => message?.includes('rate limit exceeded'))).toBe(true);
    await expect.poll(async () => (await value('string-flag')).value).toBe('hi');
  });

  it('is left with its own values while nobody serves, and has ours again afterwards', async () => {
    service = await startProcess();
    client = await application(service);
    expect((await value('string-flag')).value).toBe('hi');
    await service.kill();
    expect(await value('string-flag')).toMatchObject({ value: 'its own', reason: 'ERROR' });
    await service.start();
    expect((await value('string-flag')).value).toBe('hi');
  });

  it('is told that its key is wrong, and goes on with its own values', async () => {
    service = await startProcess();
    for (const key of ['nobody', 'narrow']) {
      client = await application(service, key);
      expect(await value('string-flag')).toMatchObject({ value: 'its own', reason: 'ERROR', errorCode: 'GENERAL', errorMessage: '' });
    }
  });
});
