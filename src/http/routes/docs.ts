/** `/docs`, the Swagger UI served from this machine alone, and `/openapi.json`, the document it shows. */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { openApiDocument } from '../../contract/openapi.ts';
import type { DemoCredentials, ServiceDependencies } from '../dependencies.ts';
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

export async function docsRoutes(app: FastifyInstance, { demoCredentials }: ServiceDependencies): Promise<void> {
  let credentials: DemoCredentials | null = null;
  /** A token of the demo lives no longer than any other, so each reader gets a new one. */
  const renew = async () => {
    if (demoCredentials !== null) credentials = await demoCredentials();
  };

  app.get('/openapi.json', { onRequest: renew }, async (_request, reply) => reply.send(openApiDocument(credentials)));

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
      uiHooks: { onRequest: (_request, _reply, done) => void renew().then(() => done(), done) },
      transformSpecification: () => openApiDocument(credentials) as never,
      transformSpecificationClone: false,
    });
  });
}
