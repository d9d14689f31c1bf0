/** What a visitor's page is given beside its session id: tokens that end within minutes, each with the address that it is for. */
import { instantText } from './instant-text.ts';
import { invalidRequest, pointerOf } from './problem.ts';

export const streamPath = '/ofrep/v1/stream';
export const artefactPath = '/v1/artefact';

interface MintedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** There is nothing to say in it yet: an empty body, or an empty object. */
export function readTokenRequest(body: unknown): void {
  if (body === undefined) return;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalidRequest([{ pointer: '', detail: 'send an empty object, or no body' }]);
  }
  const places = Object.keys(body).map((name) => ({ pointer: pointerOf([name]), detail: 'there is no such field' }));
  if (places.length > 0) throw invalidRequest(places);
}

export function sessionTokensAnswer(tokens: { readonly stream: MintedToken; readonly artefact: MintedToken }) {
  return { stream: tokenAnswer(streamPath, tokens.stream), artefact: tokenAnswer(artefactPath, tokens.artefact) };
}

function tokenAnswer(path: string, { token, expiresAtMs }: MintedToken) {
  return { token, requestUri: `${path}?t=${token}`, expiresAt: instantText(expiresAtMs) };
}
