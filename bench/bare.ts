/**
 * The yardstick: what Fastify and Redis cost when nothing is decided. `POST /bare` reads one key with an auto-pipelined GET and
 * answers a prepared JSON text of as many bytes as it was told. Fastify parses the request's JSON as it does for a decision.
 */
import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import { Redis } from 'ioredis';
import { bareKey } from './bare-key.ts';

const { values } = parseArgs({
  options: { port: { type: 'string' }, redis: { type: 'string' }, bytes: { type: 'string' } },
});

const redis = new Redis({ path: values.redis ?? '', enableAutoPipelining: true });
const answer = JSON.stringify({ answer: '' }).replace('""', `"${'x'.repeat(Math.max(0, Number(values.bytes) - '{"answer":""}'.length))}"`);

const app = Fastify({ logger: false });
app.post('/bare', async (_request, reply) => {
  const stored = await redis.get(bareKey);
  if (stored === null) reply.code(500);
  reply.header('content-type', 'application/json; charset=utf-8');
  return answer;
});
app.get('/readyz', async () => ({ ready: true }));

await redis.ping();
await app.listen({ host: '127.0.0.1', port: Number(values.port) });
process.once('SIGTERM', () => process.exit(0));
