/**
 * OpenFeature's Remote Evaluation Protocol, 0.3.0: a zone is a flag. It is the same walk as `POST /v1/decide`, and every degraded outcome is
 * a 200 with a value; none is had only where nothing was decided: shed unread (429), or without any policy (500). What goes wrong is told in
 * OFREP's form, by the statuses that its clients know.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WireConsent } from '../../consent/signals.ts';
import { flagsText, flagText, ofrepError, unknownFlag } from '../../contract/ofrep-answer.ts';
import { hearContext, readContext } from '../../contract/ofrep-request.ts';
import { type ProblemCode, ProblemError } from '../../contract/problem.ts';
import type { ZoneDecision } from '../../decision/decision.ts';
import { type Evidence, noEvidence } from '../../decision/facts.ts';
import { weighIdentity } from '../../decision/identity.ts';
import type { ChangeStreams } from '../change-streams.ts';
import { decideForVisitor } from '../decide-for-visitor.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { answersErrorsAs } from '../plugins/problems.ts';
import { policyInForce } from '../policy-in-force.ts';
import { etagOf, sendUnlessHeld } from '../validators.ts';

const json = 'application/json; charset=utf-8';

/** `streams` null: there are none to tell pages of. */
export function ofrepRoutes(
  app: FastifyInstance,
  dependencies: ServiceDependencies,
  authority: Authority,
  streams: Pick<ChangeStreams, 'hasRoom'> | null,
): void {
  const { visitorTokens } = dependencies;
  const options = {
    onRequest: [refusingLateRequests(dependencies), authority.demanding('decide')],
    errorHandler: answersErrorsAs((problem, request) => ({ ...ofrepError(problem, keyOf(request)), mediaType: json })),
    config: { takesApiKeyHeader: true },
  };
  app.post('/ofrep/v1/evaluate/flags/:key', options, (request, reply) => evaluate(request, reply, keyOf(request)));
  app.post('/ofrep/v1/evaluate/flags', options, (request, reply) => evaluate(request, reply, null));
  app.register(unservedHere, { prefix: '/ofrep/v1' });

  /** `key` null: every flag of the context's page, or of the policy. */
  async function evaluate(request: FastifyRequest, reply: FastifyReply, key: string | null): Promise<FastifyReply> {
    const context = readContext(request.body);
    const policy = policyInForce(dependencies);
    const { artefact } = policy;
    if (key !== null && !Object.hasOwn(artefact.zones, key)) throw unknownFlag();
    const { asking, identity, consent, ignored } = hearContext(context, key, artefact, dependencies.clock.nowMs());
    const textOf = (zones: readonly ZoneDecision[], evidence?: Evidence): string => {
      const [only] = zones;
      if (key !== null && only !== undefined) return flagText(only, artefact, ignored);
      return flagsText(zones, artefact, { ignored, streamToken: streamTokenFor(evidence) });
    };
    if (asking.zones.length === 0) return sendFresh(request, reply, textOf([]));
    const route = key === null ? 'ofrep_flags' : 'ofrep_flag';
    const visit = { route, policy, asking, identity, consent: consent as WireConsent | undefined } as const;
    await decideForVisitor({ request, reply }, dependencies, visit, () => ({
      zones() {},
      end({ zones, evidence }, _deadline, timing) {
        reply.header('server-timing', timing);
        sendFresh(request, reply, textOf(zones, evidence.at(-1)));
      },
      fail(error) {
        throw error;
      },
    }));
    return reply;
  }

  /**
   * Made out to whom the decision itself took for proved, so that nobody hears of anybody else. Null: there is no stream to be had, and a
   * page that is told of one which it is then refused comes back every second.
   */
  function streamTokenFor({ identity }: Evidence = noEvidence): string | null {
    if (visitorTokens === null || streams === null) return null;
    const { state, token, sessionId } = weighIdentity(identity);
    // Of somebody erased there is nothing to hear, and the tokens made out before are refused.
    const subject = state === 'high_confidence' && token !== null && identity.erased !== true ? token.subject : null;
    const generation = identity.generation.state === 'known' ? identity.generation.value : 0;
    const minted = visitorTokens.stream.mint({ subject, sessionId, generation });
    return streams.hasRoom(minted.marks) ? minted.token : null;
  }
}

async function unservedHere(scoped: FastifyInstance): Promise<void> {
  scoped.setErrorHandler(answerUnserved);
  scoped.setNotFoundHandler((request, reply) => answerUnserved(new ProblemError('not_found'), request, reply));
}

/** By these an address is of no flag: no flag has a name that is too long, or is no text. */
const ofNoFlag: ReadonlySet<ProblemCode> = new Set(['not_found', 'malformed_request', 'address_too_long']);

/**
 * Addresses and methods below ours that nobody serves, or that the router cannot read: in OFREP's form too, but by the statuses of HTTP, for
 * no client asks for them. A name that was asked for is no flag's.
 */
export const answerUnserved = answersErrorsAs((problem, request) => {
  const key = ofNoFlag.has(problem.code) ? keyAskedFor(request) : null;
  if (key !== null) return { ...ofrepError(unknownFlag(), key), mediaType: json };
  return { ...ofrepError(problem, null), status: problem.status, mediaType: json };
});

const flagPath = '/ofrep/v1/evaluate/flags/';

/** Whatever stands after the path of flags: the provider for servers writes keys as they are, with their slashes and percent signs. */
function keyAskedFor({ method, url }: Pick<FastifyRequest, 'method' | 'url'>): string | null {
  if (method !== 'POST') return null;
  const [path = ''] = url.split('?', 1);
  if (!path.startsWith(flagPath)) return null;
  const written = path.slice(flagPath.length);
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}

function keyOf({ params }: FastifyRequest): string | null {
  const { key } = (params ?? {}) as { readonly key?: string };
  return key ?? null;
}

/**
 * The validator is of the very bytes, so it moves with the context, with consent and with whatever else changed the answer, and with nothing
 * else. Only `If-None-Match` brings a 304: what a change notice said of some configuration never does. May be kept by the client alone, and
 * shown again only after asking.
 */
function sendFresh(request: FastifyRequest, reply: FastifyReply, text: string): FastifyReply {
  const etag = etagOf(text);
  reply.headers({ 'cache-control': 'private, no-cache', etag });
  sendUnlessHeld(reply, request.headers['if-none-match'], { body: text, etag });
  return reply;
}
