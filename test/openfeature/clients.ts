/**
 * OpenFeature's packages, as they are published. They are installed beside this file and not with the service, so what is used of them is
 * written down here: whoever has not installed them can still check the types of everything else.
 */
import { needPackage } from '../support/packages.ts';

/** 0.1.4 is what the provider for servers needs; 2.3.0 is what the provider for pages brings, and the newest. */
export type OfrepCoreVersion = '0.1.4' | '2.3.0';
export type FlagType = 'boolean' | 'string' | 'number' | 'object';
export type Context = Readonly<Record<string, unknown>>;

export interface Details {
  readonly value: unknown;
  readonly variant?: string;
  readonly reason?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly flagMetadata: Readonly<Record<string, unknown>>;
}

type Ask = (key: string, fallback: never, context?: Context) => Promise<Details>;

export interface Client {
  readonly getBooleanDetails: Ask;
  readonly getStringDetails: Ask;
  readonly getNumberDetails: Ask;
  readonly getObjectDetails: Ask;
}

export interface ServerSdk {
  readonly OpenFeature: {
    setProviderAndWait(domain: string, provider: unknown): Promise<void>;
    getClient(domain: string): Client;
    close(): Promise<void>;
  };
}

export interface OfrepProvider {
  readonly OFREPProvider: new (options: { baseUrl: string; headers?: readonly (readonly [string, string])[] }) => unknown;
}

export interface Evaluated {
  readonly httpStatus: number;
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly httpResponse: Response;
}

export interface OfrepApi {
  one(key: string, context: Context): Promise<Evaluated>;
  all(context: Context, etag?: string | null): Promise<Evaluated>;
}

/** What a client throws for what it does not take for an answer, by name. */
export const thrown = {
  tooMany: 'OFREPApiTooManyRequestsError',
  unauthorized: 'OFREPApiUnauthorizedError',
  forbidden: 'OFREPForbiddenError',
};

async function load<T>(name: string): Promise<T> {
  needPackage('test/openfeature');
  return (await import(name)) as T;
}

export const serverSdk = (): Promise<ServerSdk> => load('@openfeature/server-sdk');
export const ofrepProvider = (): Promise<OfrepProvider> => load('@openfeature/ofrep-provider');

type Headers = readonly (readonly [string, string])[];

interface OldApi {
  postEvaluateFlags(key: string, request: object, options?: object): Promise<Evaluated>;
  postBulkEvaluateFlags(request: object, options?: object): Promise<Evaluated>;
}

interface NewApi {
  postEvaluateFlag(key: string, request: object): Promise<Evaluated>;
  postBulkEvaluateFlags(request: object, etag: string | null): Promise<Evaluated>;
}

/** The bare client of either generation. */
export async function ofrepApi(version: OfrepCoreVersion, baseUrl: string, headers: Headers): Promise<OfrepApi> {
  if (version === '0.1.4') {
    const { OFREPApi } = await load<{ OFREPApi: new (baseUrl: string) => OldApi }>('@openfeature/ofrep-core');
    const api = new OFREPApi(baseUrl);
    return {
      one: (key, context) => api.postEvaluateFlags(key, { context }, { headers }),
      all: (context, etag = null) =>
        api.postBulkEvaluateFlags({ context }, { headers: [...headers, ...(etag === null ? [] : [['If-None-Match', etag]])] }),
    };
  }
  const { OFREPApi } = await load<{ OFREPApi: new (options: { baseUrl: string; headers: Headers }) => NewApi }>('ofrep-core-2');
  const api = new OFREPApi({ baseUrl, headers });
  return {
    one: (key, context) => api.postEvaluateFlag(key, { context }),
    all: (context, etag = null) => api.postBulkEvaluateFlags({ context }, etag),
  };
}
