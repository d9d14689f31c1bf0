/**
 * `POST /v1/decide`: wire → question → the walk for one visitor → reply. Every degraded outcome is a 200 with an approved answer; only a
 * caller's mistake, or having no policy at all, is a problem.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WireConsent } from '../../consent/signals.ts';
import { type PolicyInForce, readDecideRequest, toAsking, toEnvelope } from '../../contract/convert.ts';
import { answerTo } from '../answer.ts';
import { decideForVisitor, type VisitAnswer } from '../decide-for-visitor.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';

export function decideRoute(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  // Compiled now: no decision waits for it.
  readDecideRequest({});
  const onRequest = [refusingLateRequests(dependencies), authority.demanding('decide')];
  app.post('/v1/decide', { onRequest }, async (request, reply) => {
    const wire = readDecideRequest(request.body);
    if (wire.explain === true) authority.demand(request, 'explain');
    const policy = policyInForce(dependencies);
    const asking = toAsking(wire, policy.artefact, dependencies.clock.nowMs());
    const { identity = {} } = wire;
    const consent = wire.consent as WireConsent | undefined;
    const visit = { route: 'post_decide', policy, asking, identity, consent } as const;
    await decideForVisitor({ request, reply }, dependencies, visit, () => envelopedAnswer(request, reply, policy));
    return reply;
  });
}

function envelopedAnswer(request: FastifyRequest, reply: FastifyReply, policy: PolicyInForce): VisitAnswer {
  const answer = answerTo(request, reply);
  return {
    zones: answer.zones,
    end({ zones, last }, deadline, timing) {
      answer.end(toEnvelope(request.id, policy, deadline, last.decision), zones, timing);
    },
    fail: answer.fail,
  };
}
