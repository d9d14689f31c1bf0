/** One way to send a body: `application/json`, unencoded, at most 32 KiB. */
import type { FastifyInstance } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { Problem } from '../../contract/problem.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';

export const bodyBytesMax = 32_768;

export const jsonBody = fastifyPlugin(async (app: FastifyInstance) => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, text: string | Buffer) => parseStrictJson(text.toString()));
  app.addHook('onRequest', async (request) => {
    if (request.headers['content-encoding'] !== undefined) throw new Problem('unsupported_media_type');
  });
});
