/**
 * The walk that every route for one visitor shares: question → needs → gather → decide → answer → record. What the wire looked like
 * before it, and what the answer looks like after it, is the route's own.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hearConsent, type WireConsent } from '../consent/signals.ts';
import type { Asking, DeadlineAnswer } from '../contract/convert.ts';
import type { DecideRequest } from '../contract/schemas.ts';
import type { Artefact } from '../decision/artefact.ts';
import type { ZoneDecision } from '../decision/decision.ts';
import { needs } from '../decision/needs.ts';
import { withoutSpecialFeatures } from '../decision/special-features.ts';
import type { GatherTiming } from '../evidence/gathering.ts';
import type { DecisionRoute } from '../telemetry/telemetry.ts';
import { deadlineHeader, deadlineOf, remainingMs } from './deadline.ts';
import type { Decided, DecidedBatch } from './decide-in-batches.ts';
import { decideInChunks } from './decide-in-chunks.ts';
import type { ServiceDependencies, ServingPolicy } from './dependencies.ts';
import { isOverloaded } from './overload.ts';
import type { Caller } from './plugins/keys.ts';
import { serverTiming, type TimedStage } from './plugins/server-timing.ts';
import { recordDecision } from './record-decision.ts';
import { traceCarrier } from './trace-carrier.ts';

/** What a request says of the visitor and asks for, whatever its wire form was. */
export interface Visit {
  readonly route: DecisionRoute;
  readonly policy: ServingPolicy;
  readonly asking: Asking;
  readonly identity: NonNullable<DecideRequest['identity']>;
  readonly consent: WireConsent | undefined;
}

export interface VisitAnswer {
  /** Some zones are decided. */
  zones(zones: readonly ZoneDecision[]): void;
  /** All are. */
  end(decided: Decided, deadline: DeadlineAnswer, timing: string): void;
  /** Throws where the caller can still be told. */
  fail(error: unknown): void;
}

type VisitDependencies = Pick<ServiceDependencies, 'clock' | 'gatherer' | 'telemetry' | 'askLimit' | 'ownMargin'>;

/** `answerTo` is called once nothing can be refused any more. */
export async function decideForVisitor(
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  { clock, gatherer, telemetry, askLimit, ownMargin }: VisitDependencies,
  visit: Visit,
  answerTo: () => VisitAnswer,
): Promise<void> {
  const { startedAtMs } = request;
  const { policy } = visit;
  const { artefact, sources } = policy;
  const asked = seenBy(request.caller, visit.asking);
  const deadline = deadlineOf(asked, request.headers[deadlineHeader], artefact.deadline, startedAtMs, ownMargin);
  const times = { startedAtMs, deadlineAtMs: deadline.atMs };
  const consentStartMs = clock.monotonicMs();
  const effectiveMs = remainingMs(deadline, consentStartMs);
  const { question, ...said } = hear(request, visit, asked, artefact);
  const gatherStartMs = clock.monotonicMs();
  const overloaded = isOverloaded(request, deadline.atMs - startedAtMs, askLimit);
  const trace = telemetry.startDecision(traceCarrier(request), { startMs: startedAtMs, route: visit.route });
  if (trace.traceparent !== null) reply.header('traceparent', trace.traceparent);
  const gathering = gatherer.gather({ artefact, sources, ...said, deadlineAtMs: deadline.atMs, overloaded, traceCall: trace.call });
  const walk = { artefact, question, zones: asked.zones, ...times, gathering, clock };
  const answer = answerTo();
  if (!overloaded) askLimit.begin();
  try {
    const decided = await decideInChunks(walk, answer.zones);
    const timing = gathering.timing();
    const stages = stagesOf({ startedAtMs, consentStartMs, gatherStartMs, gathering: timing, last: decided.last });
    answer.end(decided, { declaredMs: deadline.declaredMs, effectiveMs }, serverTiming(stages));
    const told = { trace, metrics: telemetry.metrics, policy, page: question.page, decided, stages, timing };
    recordDecision({ ...told, signals: said.consent.outcomes, ...times });
  } catch (error) {
    trace.abandon(clock.monotonicMs(), 500);
    answer.fail(error);
  } finally {
    gathering.close();
    if (!overloaded) askLimit.end((clock.monotonicMs() - startedAtMs) / deadline.budgetMs);
  }
}

/** What the request says of the visitor, and what may so be asked: the question without what the visitor did not opt in to. */
function hear(request: FastifyRequest, visit: Visit, { question: asked }: Asking, artefact: Artefact) {
  const { nowMs, request: context } = asked;
  const consent = hearConsent(visit.consent, gpcLines(request), { settings: artefact.consent, country: context.country, nowMs });
  const question = withoutSpecialFeatures(artefact, asked, consent.specialFeatures);
  const identity = identityOf(visit, request);
  return { question, needs: needs(artefact, question), identity, consent, attributes: question.request, nowMs };
}

/** With a key that may be in anybody's hands, nothing above segment is seen unless the visitor proves who it is. */
function seenBy(caller: Caller | null, asking: Asking): Asking {
  return caller?.isPublishable === true ? { ...asking, question: { ...asking.question, onlyProved: true } } : asking;
}

/** A proof may come in the body or, as RFC 9449 has it, in a header. */
function identityOf({ identity }: Visit, { headers }: FastifyRequest): Visit['identity'] {
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
