/** Asks a case over HTTP as its caller would: writes what is stored through the data routes, makes the credentials, sends the request. */
import type { ConformanceCase } from './assemble.ts';
import type { CaseService } from './service.ts';
import { replyAfterMs } from './troubled-store.ts';

const dayMs = 86_400_000;
/** A US national section that tells of a known child. */
const knownChild = 'DBABLA~CVVVkkkkkpFY.YA';
/** In a row, of one service. */
const failuresThatOpenBreaker = 5;

export async function ask(given: ConformanceCase, service: CaseService): Promise<Response> {
  const sessions = await writeStore(given, service);
  if (given.request.method === 'GET') return service.request('GET', `/v1/decide?${given.request.query}`);
  const { body, gpc, child } = given.request;
  const consent = child ? { ...body.consent, gpp: knownChild } : body.consent;
  const identity = { ...body.identity, ...(await tokenOf(given, service)), ...sessionOf(given, service, sessions) };
  const decide = () =>
    service.request(
      'POST',
      '/v1/decide',
      { ...body, ...(consent === undefined ? {} : { consent }), identity },
      gpc ? { 'sec-gpc': '1' } : {},
    );
  if (Object.values(given.trouble).includes('circuit_open')) {
    for (let failure = 0; failure < failuresThatOpenBreaker; failure += 1) await (await decide()).arrayBuffer();
  }
  const answering = decide();
  await Promise.race([answering, service.waiting, service.unanswered]);
  service.clock.advance(replyAfterMs);
  // Where the store was late, a service that does not answer is asked only now.
  await Promise.race([answering, service.unanswered]);
  service.clock.advance(replyAfterMs);
  return answering;
}

/** Answers the session ids by the names that the case gives them. */
async function writeStore({ store, at }: ConformanceCase, service: CaseService): Promise<ReadonlyMap<string, string>> {
  for (const [subject, profile] of Object.entries(store.profiles ?? {})) await write(service, 'PUT', `/v1/profiles/${subject}`, profile);
  for (const [subject, consent] of Object.entries(store.consents ?? {})) await write(service, 'PUT', `/v1/consents/${subject}`, consent);
  for (const [device, link] of Object.entries(store.devices ?? {})) await write(service, 'PUT', `/v1/identities/device/${device}`, link);
  for (const [subject, times] of Object.entries(store.generations ?? {})) {
    for (let time = 0; time < times; time += 1) await write(service, 'POST', '/v1/revocations', { subject });
  }
  const until = new Date(Date.parse(at) + dayMs).toISOString();
  for (const jti of store.revokedTokens ?? []) await write(service, 'POST', '/v1/revocations', { jti, until });
  for (const subject of store.erased ?? []) await write(service, 'POST', '/v1/erasures', { subject });
  const sessions = new Map<string, string>();
  for (const [name, session] of Object.entries(store.sessions ?? {})) {
    const made = await write(service, 'POST', '/v1/sessions', session);
    const { sessionId } = (await made.json()) as { sessionId: string };
    sessions.set(name, sessionId);
    const useCases = store.withdrawn?.[name];
    if (useCases !== undefined) await write(service, 'POST', `/v1/sessions/${sessionId}/withdrawals`, { useCases });
  }
  return sessions;
}

async function write(service: CaseService, method: string, path: string, body: unknown): Promise<Response> {
  const response = await service.request(method, path, body);
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return response;
}

async function tokenOf({ credentials: { token } }: ConformanceCase, { clock, mint }: CaseService): Promise<{ readonly token?: string }> {
  if (token === undefined) return {};
  const { is, sub, jti, idm, gen, authenticatedSecondsAgo, holder } = token;
  if (is === 'malformed') return { token: 'no.token.atall' };
  const agoMs = { good: 0, expired: dayMs, 'expired long ago': 40 * dayMs }[is];
  const claims = {
    ...(jti === undefined ? {} : { jti }),
    ...(idm === undefined ? {} : { idm }),
    ...(gen === undefined ? {} : { gen }),
    ...(authenticatedSecondsAgo === undefined ? {} : { auth_time: clock.nowMs() / 1000 - authenticatedSecondsAgo }),
    ...(holder === undefined ? {} : { cnf: { jkt: 'k'.repeat(43) } }),
  };
  return { token: await mint({ subject: sub, issuedAtMs: clock.nowMs() - agoMs, claims }) };
}

function sessionOf(
  { credentials: { session } }: ConformanceCase,
  { sessionIds }: CaseService,
  sessions: ReadonlyMap<string, string>,
): { readonly sessionId?: string } {
  if (session === undefined) return {};
  // A name that is not stored: an id of ours whose record is gone.
  const sessionId = sessions.get(session.name) ?? sessionIds.mint(3600).sessionId;
  return { sessionId: session.is === 'good' ? sessionId : forged(sessionId) };
}

/** Another first character of the signature. */
function forged(sessionId: string): string {
  const at = sessionId.lastIndexOf('.') + 1;
  return sessionId.slice(0, at) + (sessionId[at] === 'A' ? 'B' : 'A') + sessionId.slice(at + 1);
}
