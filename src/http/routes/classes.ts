/**
 * `GET /v1/decide/classes`: the table by which an edge turns what it knows of a visitor into the one query of their class, before it forms a
 * cache key. INVARIANT: a function of the query, the policy and the time alone, like the answers it leads to.
 */
import type { FastifyInstance } from 'fastify';
import { readClassesQuery } from '../../contract/shared-query.ts';
import type { Artefact } from '../../decision/artefact.ts';
import { policyTag, serviceTag, zoneTag } from '../../decision/cache-tags.ts';
import { createClassTables } from '../class-tables.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';
import { noGrace, queryOf, sendShared } from '../shared-headers.ts';

/** No longer than caches keep an answer for everybody: a new policy is then seen as soon here as there. */
const maxAgeSecondsMax = 60;

export function classesRoute(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { clock, publicGet } = dependencies;
  const tables = createClassTables(clock);
  const refusing = refusingLateRequests(dependencies);
  const onRequest = publicGet ? [refusing] : [refusing, authority.demanding('decide')];
  app.get('/v1/decide/classes', { onRequest }, async (request, reply) => {
    const { artefact } = policyInForce(dependencies);
    const asked = readClassesQuery(queryOf(request.raw.url ?? ''), artefact);
    const { body, etag, validUntilMs } = await tables.tableFor(artefact, asked);
    const leftSeconds = validUntilMs === null ? maxAgeSecondsMax : Math.floor((validUntilMs - clock.nowMs()) / 1000);
    const maxAgeSeconds = Math.max(0, Math.min(maxAgeSecondsMax, leftSeconds));
    const coarseTags = [policyTag(artefact.policy), serviceTag];
    const tags = [...coarseTags, ...zonesOf(artefact, asked).map(zoneTag)].sort();
    sendShared(reply, request.headers['if-none-match'], { body, etag, maxAgeSeconds, grace: noGrace, tags, coarseTags }, dependencies);
    return reply;
  });
}

function zonesOf(artefact: Artefact, { page, zones }: ReturnType<typeof readClassesQuery>): readonly string[] {
  return zones ?? (page === null ? [] : (artefact.pages[page]?.zones ?? []));
}
