/** What a person who has just started the demo wants to know: where to look and what to paste. */
import type { Serving } from './serving.ts';

export function demoGreeting({ policy, zones, store, serviceUrl }: Serving, managementUrl: string): string {
  const call = `curl -s ${serviceUrl}/v1/decide -H 'content-type: application/json' -d`;
  return `
Stepwell serves the demo policy \`${policy}\` (${zones} zones) from the ${store} store.

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

export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
