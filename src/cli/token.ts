/** `stepwell token`: what it is called with. */
import { Command, InvalidArgumentError } from 'commander';
import { proofTargetOf } from '../records/proof-target.ts';

export interface TokenOptions {
  readonly sub: string;
  readonly ttl: number;
  readonly gen?: number;
  readonly idm?: string;
  readonly authAge?: number;
  readonly bind?: true;
  readonly proofTarget?: string;
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
    .option(
      '--bind',
      'bind it to a key made for this once, and print a proof by that key on a second line: good for one call, within a minute',
    )
    .option('--proof-target <url>', 'with --bind: the address that will be called (absent: the demo service’s /v1/decide)', proofTarget)
    .option('--json', 'print one JSON object: { token, subject, issuer, audience, expiresAt }, with --bind also proof')
    .action(async (options: TokenOptions) => {
      const { printToken } = await import('./mint-token.ts');
      await printToken(options);
    });
}

function subject(text: string): string {
  if (text === '') throw new InvalidArgumentError('write a subject');
  return text;
}

function proofTarget(text: string): string {
  const target = proofTargetOf(text);
  if (target === null) throw new InvalidArgumentError('write an http:// or https:// address without a query');
  return target;
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
