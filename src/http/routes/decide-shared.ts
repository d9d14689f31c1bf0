/**
 * `GET /v1/decide`: the cacheable half. INVARIANT: the answer is a function of the query and the policy alone, so the deciding
 * part is handed nothing else of the request: no credentials, no cookie, no body, no client address.
 */
import type { FastifyInstance } from 'fastify';
import { answerText } from '../../contract/answer-text.ts';
import { type PolicyInForce, toSharedEnvelope } from '../../contract/convert.ts';
import { readSharedQuery } from '../../contract/shared-query.ts';
import { decide } from '../../decision/decide.ts';
import type { ZoneDecision } from '../../decision/decision.ts';
import { noEvidence } from '../../decision/facts.ts';
import type { Question } from '../../decision/question.ts';
import { sharedUntilMs } from '../../decision/shared-until.ts';
import { nobodyOptedIn, withoutSpecialFeatures } from '../../decision/special-features.ts';
import type { Scope } from '../../decision/vocabulary.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { serverTiming } from '../plugins/server-timing.ts';
import { policyInForce } from '../policy-in-force.ts';
import { graceForEverybody, noGrace, queryOf, type SharedAnswer, sendShared } from '../shared-headers.ts';
import { traceCarrier } from '../trace-carrier.ts';
import { etagOf } from '../validators.ts';

export function decideSharedRoute(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { clock, telemetry, publicGet } = dependencies;

  const refusing = refusingLateRequests(dependencies);
  const onRequest = publicGet ? [refusing] : [refusing, authority.demanding('decide')];
  app.get('/v1/decide', { onRequest }, async (request, reply) => {
    const { startedAtMs } = request;
    const policy = policyInForce(dependencies);
    const asked = readSharedQuery(queryOf(request.raw.url ?? ''), policy.artefact, clock.nowMs());
    const question = withoutSpecialFeatures(policy.artefact, asked, nobodyOptedIn);
    const startMs = clock.monotonicMs();
    const answer = sharedAnswer(question, policy);
    const endMs = clock.monotonicMs();
    const trace = telemetry.startDecision(traceCarrier(request), { startMs: startedAtMs, route: 'get_decide' });

    reply.header('server-timing', serverTiming([{ name: 'decide', startMs, endMs }]));
    if (answer.shared === null) reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(answer.body);
    else sendShared(reply, request.headers['if-none-match'], answer.shared, dependencies);

    const { revision } = policy.artefact;
    const { zones, scope } = answer;
    trace.end({ zones, scope, revision, page: question.page, endMs, durationMs: endMs - startedAtMs, overshootMs: 0, facts: {} });
    return reply;
  });
}

interface DecidedAnswer {
  readonly zones: readonly ZoneDecision[];
  readonly scope: Scope;
  readonly body: string;
  /** Null where it may not be kept. */
  readonly shared: SharedAnswer | null;
}

/** The same question and policy give the same bytes. */
function sharedAnswer(question: Question, policy: PolicyInForce): DecidedAnswer {
  const { zones } = decide(policy.artefact, question, noEvidence);
  const body = answerText(toSharedEnvelope(policy), zones);
  const scope = narrowest(zones);
  if (scope !== 'public' && scope !== 'segment') return { zones, scope, body, shared: null };
  const maxAgeSeconds = Math.min(...zones.map(({ cache }) => cache.maxAgeSeconds), secondsLeft(question, policy));
  const tags = [...new Set(zones.flatMap(({ cache }) => cache.tags))].sort();
  const shared = {
    body,
    etag: etagOf(body),
    maxAgeSeconds,
    grace: scope === 'public' && maxAgeSeconds > 0 ? graceForEverybody : noGrace,
    tags,
    coarseTags: tags.filter((tag) => !tag.startsWith('zone-')),
  };
  return { zones, scope, body, shared };
}

/**
 * Told in the headers only. The body says what the zones were given, or it would be another one each second before an edge, and its ETag with
 * it. Grace would reach beyond the edge, but only an answer that has no edges is given any.
 */
function secondsLeft(question: Question, { artefact }: PolicyInForce): number {
  const untilMs = sharedUntilMs(artefact, question);
  return untilMs === null ? Number.POSITIVE_INFINITY : Math.floor((untilMs - question.nowMs) / 1000);
}

function narrowest(zones: readonly ZoneDecision[]): Scope {
  const scopes: readonly Scope[] = ['none', 'private', 'segment', 'public'];
  return scopes.find((scope) => zones.some(({ cache }) => cache.scope === scope)) ?? 'none';
}
