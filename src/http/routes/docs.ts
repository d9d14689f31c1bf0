/**
 * `/docs`, the Swagger UI served from this machine alone, and `/openapi.json`, the document it shows. Both are loaded once the service
 * listens, because no decision needs them; who asks sooner waits for that.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest, InjectOptions, LightMyRequestResponse } from 'fastify';
import type { ExampleCredentials } from '../../contract/openapi-examples.ts';
import { ProblemError } from '../../contract/problem.ts';
import { afterListening } from '../after-listening.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { isLoopbackName, isLoopbackPeer } from '../plugins/keys.ts';

interface Texts {
  readonly json: string;
  readonly yaml: string;
}

const jsonType = 'application/json; charset=utf-8';
const yamlType = 'application/yaml; charset=utf-8';

export function docsRoutes(app: FastifyInstance, { clock, demoCredentials }: Pick<ServiceDependencies, 'clock' | 'demoCredentials'>): void {
  const textsFor = createTexts(demoCredentials);
  const pages = once(async () => (await import('../docs-pages.ts')).buildDocsPages());

  for (const url of ['/openapi.json', '/docs/json']) {
    app.get(url, async (request, reply) => reply.header('content-type', jsonType).send((await textsFor(request)).json));
  }
  app.get('/docs/yaml', async (request, reply) => reply.header('content-type', yamlType).send((await textsFor(request)).yaml));
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, async (request, reply) => passOn(await (await pages()).inject(questionOf(request)), reply));
  }
  afterListening(app, clock, [textsForStrangers, pages]);
}

/** The rest is between the reader and us. */
const askedOn = ['if-none-match', 'if-modified-since'] as const;
const passedOn = ['content-type', 'content-security-policy', 'location', 'etag', 'last-modified'] as const;

function questionOf({ url, headers }: FastifyRequest): InjectOptions {
  const asked = askedOn.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]));
  return { method: 'GET', url, headers: Object.fromEntries(asked) };
}

function passOn({ statusCode, headers, rawPayload }: LightMyRequestResponse, reply: FastifyReply): FastifyReply {
  if (statusCode >= 400) throw new ProblemError(statusCode < 500 ? 'not_found' : 'internal_error');
  for (const name of passedOn) if (headers[name] !== undefined) reply.header(name, headers[name]);
  return reply.code(statusCode).send(rawPayload);
}

/** One that fails is tried again by the next who asks. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = null;
      throw error;
    });
    return made;
  };
}

/**
 * The document, written once for as long as its examples stay the same: writing it takes longer than a decision. Only somebody at
 * this very machine gets examples that hold credentials, for those let their reader in.
 */
function createTexts(demoCredentials: ServiceDependencies['demoCredentials']): (request: FastifyRequest) => Promise<Texts> {
  let written: { readonly credentials: ExampleCredentials; readonly texts: Texts } | null = null;
  return async (request) => {
    if (demoCredentials === null || !isAtThisMachine(request)) return textsForStrangers();
    const credentials = await demoCredentials();
    if (written?.credentials !== credentials) written = { credentials, texts: await write(credentials) };
    return written.texts;
  };
}

const textsForStrangers = once(() => write(null));

async function write(credentials: ExampleCredentials | null): Promise<Texts> {
  const { openApiDocument } = await import('../../contract/openapi.ts');
  const { toYaml } = await import('../../contract/yaml-text.ts');
  const json = JSON.stringify(openApiDocument(credentials));
  return { json, yaml: toYaml(JSON.parse(json)) };
}

/** What a proxy passes on comes from this machine too, and for somebody else. */
function isAtThisMachine({ socket, headers }: FastifyRequest): boolean {
  return isLoopbackPeer(socket.remoteAddress) && isLoopbackName(headers.host) && !proxyHeaders.some((name) => headers[name] !== undefined);
}

const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;
