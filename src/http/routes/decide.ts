/**
 * `POST /v1/decide`: wire → question → needs → gather → decide → reply → record. Every degraded outcome is a 200 with an approved
 * answer; only a caller's mistake, or having no policy at all, is a problem.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { consentSignals, type WireConsent } from '../../consent/signals.ts';
import { answerText, zoneText } from '../../contract/answer-text.ts';
import { readDecideRequest, toAsking, toEnvelope } from '../../contract/convert.ts';
import type { DecideRequest } from '../../contract/schemas.ts';
import type { ZoneDecision } from '../../decision/decision.ts';
import { needs } from '../../decision/needs.ts';
import { batchesOf } from '../../evidence/batches.ts';
import type { GatherTiming } from '../../evidence/gather.ts';
import { deadlineHeader, deadlineOf, remainingMs } from '../deadline.ts';
import { type DecidedBatch, decideInBatches } from '../decide-in-batches.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import type { Authority } from '../plugins/keys.ts';
import { serverTiming, type TimedStage } from '../plugins/server-timing.ts';
import { policyInForce } from '../policy-in-force.ts';
import { recordDecision } from '../record-decision.ts';

export function decideRoute(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { clock, gatherer, telemetry } = dependencies;

  app.post('/v1/decide', { onRequest: authority.demanding('decide') }, async (request, reply) => {
    const { startedAtMs } = request;
    const wire = readDecideRequest(request.body);
    if (wire.explain === true) authority.demand(request, 'explain');
    const policy = policyInForce(dependencies);
    const { artefact } = policy;
    const nowMs = clock.nowMs();
    const asking = toAsking(wire, artefact, nowMs);
    const deadline = deadlineOf(asking, request.headers[deadlineHeader], artefact.deadline, startedAtMs);
    const effectiveMs = remainingMs(deadline, clock.monotonicMs());

    const trace = telemetry.startDecision(traceCarrier(request), { startMs: startedAtMs, route: 'post_decide' });
    const consentStartMs = clock.monotonicMs();
    const consent = consentSignals(wire.consent as WireConsent | undefined, gpcLines(request));
    const gatherStartMs = clock.monotonicMs();
    const times = { startedAtMs, deadlineAtMs: deadline.atMs };
    const required = needs(artefact, asking.question);
    const gathering = gatherer.gather({ artefact, needs: required, identity: identityOf(wire, request), consent, nowMs, ...times });
    const walk = { artefact, question: asking.question, batches: batchesOf(asking.zones, times), gathering, clock };

    if (trace.traceparent !== null) reply.header('traceparent', trace.traceparent);
    const answer = wantsStream(request) ? streamAnswer(reply) : jsonAnswer(reply);
    try {
      const decided: ZoneDecision[] = [];
      const last = await decideInBatches(walk, ({ decision }) => {
        decided.push(...decision.zones);
        answer.zones(decision.zones);
      });
      const zones = inOrder(asking.question.zones, decided);
      const envelope = toEnvelope(request.id, policy, { declaredMs: deadline.declaredMs, effectiveMs }, last.decision);
      const stages = stagesOf({ startedAtMs, consentStartMs, gatherStartMs, gathering: gathering.timing(), last });
      answer.end(envelope, zones, serverTiming(stages));
      recordDecision({ trace, metrics: telemetry.metrics, policy, page: asking.question.page, zones, stages, last, ...times });
    } catch (error) {
      trace.abandon(clock.monotonicMs(), 500);
      answer.fail(error);
    } finally {
      gathering.close();
    }
    return reply;
  });
}

/** How an answer leaves: whole, or zone by zone. */
interface Answer {
  zones(zones: readonly ZoneDecision[]): void;
  end(envelope: ReturnType<typeof toEnvelope>, zones: readonly ZoneDecision[], timing: string): void;
  /** Throws where the caller can still be told. */
  fail(error: unknown): void;
}

/** One write, with `Content-Length`. */
function jsonAnswer(reply: FastifyReply): Answer {
  return {
    zones() {},
    end(envelope, zones, timing) {
      reply.header('server-timing', timing).header('content-type', 'application/json; charset=utf-8');
      reply.send(answerText(envelope, zones));
    },
    fail(error) {
      throw error;
    },
  };
}

/** A line for each zone as its own instant comes, then the envelope. The headers leave first, so the times come as a trailer. */
function streamAnswer(reply: FastifyReply): Answer {
  const lines = new Readable({ read() {} });
  let timing = '';
  reply.trailer('server-timing', async () => timing);
  reply.header('content-type', 'application/x-ndjson; charset=utf-8').send(lines);
  return {
    zones(zones) {
      for (const zone of zones) lines.push(`${zoneText(zone)}\n`);
    },
    end(envelope, _zones, measured) {
      timing = measured;
      lines.push(`${JSON.stringify(envelope)}\n`);
      lines.push(null);
    },
    fail(error) {
      lines.destroy(error instanceof Error ? error : new Error('the stream failed'));
    },
  };
}

function wantsStream({ headers }: FastifyRequest): boolean {
  return headers.accept?.split(',').some((range) => /^\s*application\/x-ndjson\s*(?:;(?!\s*q=0(?:\.0*)?\s*$).*)?$/i.test(range)) ?? false;
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

export function traceCarrier({ headers }: FastifyRequest) {
  const { traceparent, tracestate } = headers;
  return { traceparent: oneOf(traceparent), tracestate: oneOf(tracestate) };
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

function inOrder(asked: readonly string[], decided: readonly ZoneDecision[]): readonly ZoneDecision[] {
  return decided.every(({ zone }, index) => zone === asked[index])
    ? decided
    : asked.flatMap((id) => decided.filter(({ zone }) => zone === id));
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
