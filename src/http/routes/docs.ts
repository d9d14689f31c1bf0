/** `/docs`, the Swagger UI served from this machine alone, and `/openapi.json`, the document it shows. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { openApiDocument } from '../../contract/openapi.ts';
import type { ExampleCredentials } from '../../contract/openapi-examples.ts';
import { toYaml } from '../../contract/yaml-text.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { isLoopbackName, isLoopbackPeer } from '../plugins/keys.ts';
import { privateNoStore } from '../plugins/safe-defaults.ts';

/** The page loads only what we serve. Swagger UI sets styles on elements, so those may stand inline; scripts may not. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface Texts {
  readonly json: string;
  readonly yaml: string;
}

const jsonType = 'application/json; charset=utf-8';

export async function docsRoutes(app: FastifyInstance, { demoCredentials }: Pick<ServiceDependencies, 'demoCredentials'>): Promise<void> {
  const textsFor = createTexts(demoCredentials);

  app.get('/openapi.json', async (request, reply) => reply.header('content-type', jsonType).send((await textsFor(request)).json));

  /** The page's own copies of the document, which it would otherwise write anew for every reader. */
  async function sendCopy(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const { url } = request.routeOptions;
    if (url === '/docs/json') reply.header('content-type', jsonType).send((await textsFor(request)).json);
    else if (url === '/docs/yaml') reply.header('content-type', 'application/yaml; charset=utf-8').send((await textsFor(request)).yaml);
    else return false;
    return true;
  }

  await app.register(async (docs) => {
    // The assets are the same for everybody, but they change with the version and nobody loads them often.
    docs.addHook('onSend', async (_request, reply) => void reply.header('cache-control', privateNoStore));
    await docs.register(swagger, { mode: 'static', specification: { document: openApiDocument(null) as never } });
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: contentSecurityPolicy,
      uiConfig: {
        tryItOutEnabled: true,
        docExpansion: 'list',
        defaultModelsExpandDepth: 0,
        syntaxHighlight: { activated: false } as never,
      },
      uiHooks: { onRequest: (request, reply, done) => void sendCopy(request, reply).then((isSent) => isSent || done(), done) },
    });
  });
}

/**
 * The document, written once for as long as its examples stay the same: writing it takes longer than a decision. Only somebody at
 * this very machine gets examples that hold credentials, for those let their reader in.
 */
function createTexts(demoCredentials: ServiceDependencies['demoCredentials']): (request: FastifyRequest) => Promise<Texts> {
  const forStrangers = write(null);
  let written: { readonly credentials: ExampleCredentials; readonly texts: Texts } | null = null;
  return async (request) => {
    if (demoCredentials === null || !isAtThisMachine(request)) return forStrangers;
    const credentials = await demoCredentials();
    if (written?.credentials !== credentials) written = { credentials, texts: write(credentials) };
    return written.texts;
  };
}

function write(credentials: ExampleCredentials | null): Texts {
  const json = JSON.stringify(openApiDocument(credentials));
  return { json, yaml: toYaml(JSON.parse(json)) };
}

/** What a proxy passes on comes from this machine too, and for somebody else. */
function isAtThisMachine({ socket, headers }: FastifyRequest): boolean {
  return isLoopbackPeer(socket.remoteAddress) && isLoopbackName(headers.host) && !proxyHeaders.some((name) => headers[name] !== undefined);
}

const proxyHeaders = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'] as const;
