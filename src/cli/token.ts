/**
 * `stepwell token`: a token that the demo service of this data directory accepts. It makes a development issuer's key where there
 * is none, so it may run before the service has.
 */
import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config.ts';
import { CannotRun } from '../start/cannot-run.ts';
import { openDemoIssuer } from '../start/demo-issuer.ts';
import { demoPartiesOf, isDemo } from '../start/demo-mode.ts';
import { systemClock } from '../time/clock.ts';
import { printJson } from './outcome.ts';

interface TokenOptions {
  readonly sub: string;
  readonly ttl: number;
  readonly gen?: number;
  readonly idm?: string;
  readonly authAge?: number;
  readonly json?: true;
}

/** The service refuses tokens that live longer. */
const ttlMaxSeconds = 3600;
const methods = ['deterministic', 'probabilistic'];

export function tokenCommand(): Command {
  return new Command('token')
    .description(
      'Mint a token for the demo service (no STEPWELL_POLICY, no STEPWELL_JWKS), signed by the development key in STEPWELL_DATA_DIR.',
    )
    .requiredOption('--sub <subject>', 'whose token it is', subject)
    .option('--ttl <seconds>', `how long it lives, 1 to ${ttlMaxSeconds}`, wholeNumber(1, ttlMaxSeconds), ttlMaxSeconds)
    .option('--gen <number>', 'the generation it carries (absent: none)', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .option('--idm <method>', `${methods.join(' or ')} (absent: deterministic)`, oneOf(methods))
    .option('--auth-age <seconds>', 'how long ago the person authenticated (absent: not said)', wholeNumber(0, 31_536_000))
    .option('--json', 'print one JSON object: { token, subject, issuer, audience, expiresAt }')
    .action(token);
}

async function token({ sub, ttl, gen, idm, authAge, json }: TokenOptions): Promise<void> {
  const config = readConfig(process.env);
  if (!isDemo(config)) {
    throw new CannotRun(
      'the demo issuer speaks only for the demo: with STEPWELL_POLICY or STEPWELL_JWKS set, tokens come from your own issuer',
    );
  }
  const nowMs = systemClock.nowMs();
  const { issuer, audience } = demoPartiesOf(config);
  const demoIssuer = await openDemoIssuer(config.dataDir);
  const minted = await demoIssuer.mint({
    subject: sub,
    nowMs,
    lifetimeSeconds: ttl,
    claims: {
      iss: issuer,
      aud: audience,
      ...(gen === undefined ? {} : { gen }),
      ...(idm === undefined ? {} : { idm }),
      ...(authAge === undefined ? {} : { auth_time: Math.floor(nowMs / 1000) - authAge }),
    },
  });
  if (!json) {
    process.stdout.write(`${minted}\n`);
    return;
  }
  const expiresAt = new Date((Math.floor(nowMs / 1000) + ttl) * 1000).toISOString();
  printJson({ token: minted, subject: sub, issuer, audience, expiresAt });
}

function subject(text: string): string {
  if (text === '') throw new InvalidArgumentError('write a subject');
  return text;
}

function oneOf(allowed: readonly string[]): (text: string) => string {
  return (text) => {
    if (!allowed.includes(text)) throw new InvalidArgumentError(`write ${allowed.join(' or ')}`);
    return text;
  };
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || number > max) throw new InvalidArgumentError(`write a whole number from ${min} to ${max}`);
    return number;
  };
}
