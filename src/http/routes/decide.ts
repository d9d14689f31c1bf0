/**
 * `POST /v1/decide`: wire → question → needs → gather → decide → reply → record. Every degraded outcome is a 200 with an approved
 * answer; only a caller's mistake, or having no policy at all, is a problem.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { hearConsent, type WireConsent } from '../../consent/signals.ts';
import { type Asking, readDecideRequest, toAsking, toEnvelope } from '../../contract/convert.ts';
import type { DecideRequest } from '../../contract/schemas.ts';
import type { Artefact } from '../../decision/artefact.ts';
import { needs } from '../../decision/needs.ts';
import { withoutSpecialFeatures } from '../../decision/special-features.ts';
import { batchesOf } from '../../evidence/batches.ts';
import type { GatherTiming } from '../../evidence/gathering.ts';
import { answerTo } from '../answer.ts';
import { deadlineHeader, deadlineOf, remainingMs } from '../deadline.ts';
import { type DecidedBatch, decideInBatches } from '../decide-in-batches.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { isOverloaded, refusingLateRequests } from '../overload.ts';
import type { Authority, Caller } from '../plugins/keys.ts';
import { serverTiming, type TimedStage } from '../plugins/server-timing.ts';
import { policyInForce } from '../policy-in-force.ts';
import { recordDecision } from '../record-decision.ts';
import { traceCarrier } from '../trace-carrier.ts';

export function decideRoute(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { clock, gatherer, telemetry, askLimit, ownMargin } = dependencies;

  // Compiled now: no decision waits for it.
  readDecideRequest({});
  const onRequest = [refusingLateRequests(dependencies), authority.demanding('decide')];
  app.post('/v1/decide', { onRequest }, async (request, reply) => {
    const { startedAtMs } = request;
    const wire = readDecideRequest(request.body);
    if (wire.explain === true) authority.demand(request, 'explain');
    const policy = policyInForce(dependencies);
    const { artefact, sources } = policy;
    const asked = seenBy(request.caller, toAsking(wire, artefact, clock.nowMs()));
    const deadline = deadlineOf(asked, request.headers[deadlineHeader], artefact.deadline, startedAtMs, ownMargin);
    const times = { startedAtMs, deadlineAtMs: deadline.atMs };
    const consentStartMs = clock.monotonicMs();
    const effectiveMs = remainingMs(deadline, consentStartMs);
    const { question, ...said } = hear(request, wire, asked, artefact);
    const gatherStartMs = clock.monotonicMs();
    const overloaded = isOverloaded(request, deadline.atMs - startedAtMs, askLimit);
    const gathering = gatherer.gather({ artefact, sources, ...said, deadlineAtMs: deadline.atMs, overloaded });
    const walk = { artefact, question, batches: batchesOf(asked.zones, times), gathering, clock };

    const trace = telemetry.startDecision(traceCarrier(request), { startMs: startedAtMs, route: 'post_decide' });
    if (trace.traceparent !== null) reply.header('traceparent', trace.traceparent);
    const answer = answerTo(request, reply);
    if (!overloaded) askLimit.begin();
    try {
      const decided = await decideInBatches(walk, answer.zones);
      const { zones, last } = decided;
      const envelope = toEnvelope(request.id, policy, { declaredMs: deadline.declaredMs, effectiveMs }, last.decision);
      const timing = gathering.timing();
      const stages = stagesOf({ startedAtMs, consentStartMs, gatherStartMs, gathering: timing, last });
      answer.end(envelope, zones, serverTiming(stages));
      const told = { trace, metrics: telemetry.metrics, policy, page: question.page, decided, stages, timing };
      recordDecision({ ...told, signals: said.consent.outcomes, ...times });
    } catch (error) {
      trace.abandon(clock.monotonicMs(), 500);
      answer.fail(error);
    } finally {
      gathering.close();
      if (!overloaded) askLimit.end((clock.monotonicMs() - startedAtMs) / deadline.budgetMs);
    }
    return reply;
  });
}

/** What the request says of the visitor, and what may so be asked: the question without what the visitor did not opt in to. */
function hear(request: FastifyRequest, wire: DecideRequest, { question: asked }: Asking, artefact: Artefact) {
  const { nowMs, request: context } = asked;
  const wireConsent = wire.consent as WireConsent | undefined;
  const consent = hearConsent(wireConsent, gpcLines(request), { settings: artefact.consent, country: context.country, nowMs });
  const question = withoutSpecialFeatures(artefact, asked, consent.specialFeatures);
  const identity = identityOf(wire, request);
  return { question, needs: needs(artefact, question), identity, consent, attributes: question.request, nowMs };
}

/** With a key that may be in anybody's hands, nothing above segment is seen unless the visitor proves who it is. */
function seenBy(caller: Caller | null, asking: Asking): Asking {
  return caller?.isPublishable === true ? { ...asking, question: { ...asking.question, onlyProved: true } } : asking;
}

/** A proof may come in the body or, as RFC 9449 has it, in a header. */
function identityOf({ identity = {} }: DecideRequest, { headers }: FastifyRequest) {
  if (identity.proof || typeof headers.dpop !== 'string') return identity;
  return { ...identity, proof: headers.dpop };
}

/** Every line of the header apart, because joined lines hide one behind another. Looked for only where there is one. */
function gpcLines({ headers, raw: { rawHeaders } }: FastifyRequest): readonly string[] | undefined {
  if (headers['sec-gpc'] === undefined) return undefined;
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'sec-gpc');
}

interface Measured {
  readonly startedAtMs: number;
  readonly consentStartMs: number;
  readonly gatherStartMs: number;
  readonly gathering: GatherTiming;
  readonly last: DecidedBatch;
}

function stagesOf({ startedAtMs, consentStartMs, gatherStartMs, gathering, last }: Measured): readonly TimedStage[] {
  const stages: TimedStage[] = [{ name: 'consent', startMs: consentStartMs, endMs: gatherStartMs }];
  const { token } = gathering;
  if (token !== null) stages.push({ name: 'identity', startMs: token.startMs, endMs: token.endMs ?? last.startMs });
  stages.push({ name: 'gather', startMs: gatherStartMs, endMs: last.startMs });
  stages.push({ name: 'decide', startMs: last.startMs, endMs: last.endMs });
  stages.push({ name: 'total', startMs: startedAtMs, endMs: last.endMs });
  return stages;
}
