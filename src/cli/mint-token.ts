/**
 * A token that the demo service of this data directory accepts. It makes a development issuer's key where there
 * is none, so it may run before the service has.
 */
import { readConfig } from '../config.ts';
import { createHolder } from '../identity/mint.ts';
import { CannotRun } from '../start/cannot-run.ts';
import { openDemoIssuer } from '../start/demo-issuer.ts';
import { demoPartiesOf, isDemo } from '../start/demo-mode.ts';
import { urlOf } from '../start/greeting.ts';
import { systemClock } from '../time/clock.ts';
import { printJson } from './outcome.ts';
import type { TokenOptions } from './token.ts';

export async function printToken({ sub, ttl, gen, idm, authAge, bind, proofTarget, json }: TokenOptions): Promise<void> {
  const config = readConfig(process.env);
  if (!isDemo(config)) {
    throw new CannotRun(
      'the demo issuer speaks only for the demo: with STEPWELL_POLICY or STEPWELL_JWKS set, tokens come from your own issuer',
    );
  }
  const nowMs = systemClock.nowMs();
  const { issuer, audience } = demoPartiesOf(config);
  const demoIssuer = await openDemoIssuer(config.dataDir);
  const holder = bind ? await createHolder() : null;
  const minted = await demoIssuer.mint({
    subject: sub,
    nowMs,
    lifetimeSeconds: ttl,
    claims: {
      iss: issuer,
      aud: audience,
      ...(gen === undefined ? {} : { gen }),
      ...(idm === undefined ? {} : { idm }),
      ...(holder === null ? {} : { cnf: { jkt: holder.thumbprint } }),
      ...(authAge === undefined ? {} : { auth_time: Math.floor(nowMs / 1000) - authAge }),
    },
  });
  const target = proofTarget ?? `${urlOf(config.host, config.port)}/v1/decide`;
  const proof = (await holder?.prove({ token: minted, target, nowMs })) ?? null;
  if (!json) {
    process.stdout.write(`${minted}\n${proof === null ? '' : `${proof}\n`}`);
    return;
  }
  const expiresAt = new Date((Math.floor(nowMs / 1000) + ttl) * 1000).toISOString();
  printJson({ token: minted, subject: sub, issuer, audience, expiresAt, ...(proof === null ? {} : { proof }) });
}
