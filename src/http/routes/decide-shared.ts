/**
 * `GET /v1/decide`: the cacheable half. INVARIANT: the answer is a function of the query and the policy alone, so the deciding
 * part is handed nothing else of the request: no credentials, no cookie, no body, no client address.
 */
import { hash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { answerText } from '../../contract/answer-text.ts';
import { type PolicyInForce, toSharedEnvelope } from '../../contract/convert.ts';
import { readSharedQuery } from '../../contract/shared-query.ts';
import { decide } from '../../decision/decide.ts';
import type { ZoneDecision } from '../../decision/decision.ts';
import { noEvidence } from '../../decision/facts.ts';
import type { Question } from '../../decision/question.ts';
import { nobodyOptedIn, withoutSpecialFeatures } from '../../decision/special-features.ts';
import type { Scope } from '../../decision/vocabulary.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { serverTiming } from '../plugins/server-timing.ts';
import { policyInForce } from '../policy-in-force.ts';
import { traceCarrier } from '../trace-carrier.ts';

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

    reply.headers({ ...answer.headers, 'server-timing': serverTiming([{ name: 'decide', startMs, endMs }]) });
    if (isFresh(request.headers['if-none-match'], answer.etag)) reply.code(304).send();
    else reply.header('content-type', 'application/json; charset=utf-8').send(answer.body);

    const { revision } = policy.artefact;
    const { zones, scope } = answer;
    trace.end({ zones, scope, revision, page: question.page, endMs, durationMs: endMs - startedAtMs, overshootMs: 0, facts: {} });
    return reply;
  });
}

interface SharedAnswer {
  readonly zones: readonly ZoneDecision[];
  readonly scope: Scope;
  readonly body: string;
  /** Null where the answer may not be kept. */
  readonly etag: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** The same question and policy give the same bytes. */
function sharedAnswer(question: Question, policy: PolicyInForce): SharedAnswer {
  const { zones } = decide(policy.artefact, question, noEvidence);
  const body = answerText(toSharedEnvelope(policy), zones);
  const scope = narrowest(zones);
  if (scope !== 'public' && scope !== 'segment') return { zones, scope, body, etag: null, headers: { 'cache-control': 'no-store' } };
  const etag = `"${hash('sha256', body, 'base64url')}"`;
  const tags = [...new Set(zones.flatMap(({ cache }) => cache.tags))].sort();
  const maxAgeSeconds = Math.min(...zones.map(({ cache }) => cache.maxAgeSeconds));
  const headers = {
    'cache-control': `public, max-age=0, s-maxage=${maxAgeSeconds}, ${maxAgeSeconds === 0 ? graceOf.segment : graceOf[scope]}`,
    etag,
    'surrogate-key': tags.join(' '),
    'cache-tag': tags.join(','),
  };
  return { zones, scope, body, etag, headers };
}

/** An answer for everybody may be served a little old while a new one is fetched; one for a segment, or of no age at all, may not. */
const graceOf = {
  segment: 'stale-while-revalidate=0, stale-if-error=0',
  public: 'stale-while-revalidate=30, stale-if-error=300',
} as const;

function narrowest(zones: readonly ZoneDecision[]): Scope {
  const scopes: readonly Scope[] = ['none', 'private', 'segment', 'public'];
  return scopes.find((scope) => zones.some(({ cache }) => cache.scope === scope)) ?? 'none';
}

/** As it was sent: the framework's own reading would hide repeats and order. */
function queryOf(url: string): string {
  const mark = url.indexOf('?');
  return mark < 0 ? '' : url.slice(mark + 1);
}

/** RFC 9110, 13.1.2: for a GET the weak comparison serves. */
function isFresh(ifNoneMatch: string | undefined, etag: string | null): boolean {
  if (ifNoneMatch === undefined || etag === null) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((given) => given.trim().replace(/^W\//, '') === etag);
}
