/**
 * The pages of the Swagger UI, in a server of their own that listens nowhere and that `/docs` asks: it is loaded when the service
 * already answers, and what a page needs of the service it takes from there.
 */
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { type FastifyInstance, fastify } from 'fastify';

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

/** The document itself comes from `/docs/json`, which is not served here. */
const noDocument = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} };

export async function buildDocsPages(): Promise<FastifyInstance> {
  const pages = fastify({ logger: false });
  await pages.register(swagger, { mode: 'static', specification: { document: noDocument } });
  await pages.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: contentSecurityPolicy,
    uiConfig: {
      tryItOutEnabled: true,
      docExpansion: 'list',
      defaultModelsExpandDepth: 0,
      syntaxHighlight: { activated: false } as never,
    },
  });
  return pages;
}
