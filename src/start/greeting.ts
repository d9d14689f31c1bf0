/** What a person who has just started the demo wants to know: where to look and what to paste. */
import type { Artefact } from '../decision/artefact.ts';

export interface GreetingFacts {
  readonly artefact: Artefact;
  readonly storeKind: 'redis' | 'embedded';
  readonly serviceUrl: string;
  readonly managementUrl: string;
}

export function demoGreeting({ artefact, storeKind, serviceUrl, managementUrl }: GreetingFacts): string {
  const call = `curl -s ${serviceUrl}/v1/decide -H 'content-type: application/json' -d`;
  return `
Stepwell serves the demo policy \`${artefact.policy}\` (${Object.keys(artefact.zones).length} zones) from the ${storeKind} store.

  Swagger UI   ${serviceUrl}/docs
  Management   ${managementUrl}/status

A visitor whom nobody knows:

  ${call} '{ "page": "home", "context": { "country": "DE", "device": "mobile" } }'

A customer who is signed in and has agreed:

  TOKEN=$(npx stepwell token --sub demo-ada)
  ${call} "{ \\"page\\": \\"home\\", \\"identity\\": { \\"token\\": \\"$TOKEN\\" } }"

Tokens are signed by a development key in the data directory. Set STEPWELL_POLICY, and STEPWELL_JWKS for your own issuer, to leave the demo.

`;
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
