/**
 * `GET /v1/artefact`: what a device decides by while it cannot ask, signed; and the public keys it is verified with. Both are the same for
 * everybody and hold nothing about anybody.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ProblemError } from '../../contract/problem.ts';
import { readTokenQuery } from '../../contract/token-query.ts';
import { artefactTag, policyTag, serviceTag } from '../../decision/cache-tags.ts';
import { isVisitorToken } from '../../identity/visitor-token.ts';
import type { ServiceDependencies } from '../dependencies.ts';
import { createDeviceArtefacts, tooLargeSentence } from '../device-artefacts.ts';
import { refusingLateRequests } from '../overload.ts';
import type { Authority } from '../plugins/keys.ts';
import { policyInForce } from '../policy-in-force.ts';
import { noGrace, queryOf, sendShared } from '../shared-headers.ts';
import { isTakenBack } from '../visitor-changes.ts';

/** As long as caches may hand out what was killed. */
const maxAgeSeconds = 60;
const keysMaxAgeSeconds = 300;
const prepareEveryMs = 1_000;

export function artefactRoutes(app: FastifyInstance, dependencies: ServiceDependencies, authority: Authority): void {
  const { artefactKeys, visitorTokens, store, clock, policy, publicGet } = dependencies;
  if (artefactKeys === null) return;
  const artefacts = createDeviceArtefacts({
    keys: artefactKeys,
    clock,
    onTooLarge: ({ policy: id, revision }) => app.log.error({ policy: id, revision }, `artefact_too_large: ${tooLargeSentence}`),
  });

  function prepareRegularly(): () => void {
    const current = policy.current();
    if (current !== null) artefacts.prepare(current.artefact).catch((error) => app.log.error({ err: error }, 'no artefact could be made'));
    return clock.after(prepareEveryMs, () => {
      stop = prepareRegularly();
    });
  }
  let stop = (): void => {};
  app.addHook('onListen', (done) => {
    stop = prepareRegularly();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    stop();
    done();
  });

  /**
   * A visitor's token, or an API key; where shared answers are public, nothing. What a token that is no good gets there is what everybody gets,
   * and is not to be kept: else anybody could fill caches with one artefact under addresses that they make up.
   */
  async function admit(request: FastifyRequest): Promise<'shared' | 'unkept'> {
    const token = readTokenQuery(queryOf(request.raw.url ?? '')) ?? tokenOf(request.headers.authorization);
    if (token === null) {
      if (!publicGet) authority.demand(request, 'decide');
      return 'shared';
    }
    const content = visitorTokens?.artefact.verify(token) ?? null;
    if (publicGet) return content === null ? 'unkept' : 'shared';
    if (content === null || (await isTakenBack(store, content.revocationMarks))) throw new ProblemError('token_refused');
    return 'shared';
  }

  app.get('/v1/artefact', { onRequest: refusingLateRequests(dependencies) }, async (request, reply) => {
    const admitted = await admit(request);
    const { artefact } = policyInForce(dependencies);
    const signed = await artefacts.current(artefact);
    if (signed === 'too_large') throw new ProblemError('artefact_killed', tooLargeSentence);
    // It may have been taken back while it was made.
    if (signed === 'killed' || policyInForce(dependencies).artefact.device?.enabled === false) throw new ProblemError('artefact_killed');
    const tags = [policyTag(artefact.policy), serviceTag, artefactTag];
    const { jws: body, etag } = signed;
    const answer = { body, etag, mediaType: 'application/jose', maxAgeSeconds, grace: noGrace, tags, coarseTags: tags };
    if (admitted === 'shared') sendShared(reply, request.headers['if-none-match'], answer, dependencies);
    else reply.type(answer.mediaType).send(body);
    return reply;
  });

  app.get('/.well-known/stepwell-keys.json', async (_request, reply) => {
    // As bytes: to text the framework would add a charset, which the media type does not have.
    const text = Buffer.from(JSON.stringify(artefactKeys().jwks));
    return reply
      .headers({ 'content-type': 'application/jwk-set+json', 'cache-control': `public, max-age=${keysMaxAgeSeconds}` })
      .send(text);
  });
}

function tokenOf(authorization: string | undefined): string | null {
  const bearer = /^Bearer (\S{1,512})$/i.exec(authorization ?? '')?.[1];
  return bearer !== undefined && isVisitorToken(bearer) ? bearer : null;
}
