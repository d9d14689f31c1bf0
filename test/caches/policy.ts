/** The policy behind the caches: what faults are tried on, whose answers name whom they are for, and pages that a cache may keep. */
import { policyText } from '../../bench/faults/people.ts';

const countries = ['DE', 'FR', 'NL'] as const;
const devices = ['desktop', 'mobile'] as const;

const approved = { by: 'Caches', on: '2026-01-01', until: '2099-01-01' };
const anonymous = (variant: string) => ({ tier: 'anonymous', variant, approved });

/** The one rule that is marked for devices. */
const forDevices = { country: 'FR', device: 'mobile' } as const;
export const deviceVariant = `banner-${forDevices.country}-${forDevices.device}`;
/** What zones show to everybody. */
export const anonymousVariants = ['standard', 'plain', 'strip', 'notice'] as const;

/** Of so few seconds that answers grow old and are fetched anew while the caches are asked. */
const briefly = { maxAgeSeconds: 1 };

export function cachedPolicyText(): string {
  const policy = JSON.parse(policyText());
  const banners = countries.flatMap((country) => devices.map((device) => ({ country, device, variant: `banner-${country}-${device}` })));
  const chosen = banners.slice(1).map(({ country, device, variant }) => ({
    when: `request.country == "${country}" && request.device == "${device}"`,
    variant,
    ...(variant === deviceVariant ? { device: true } : {}),
  }));
  Object.assign(policy.attributes.request, { device: { type: 'string', values: [...devices], class: 'S0' } });
  Object.assign(policy, { audiences: { newsletter: { class: 'S0', edge: true } } });
  Object.assign(policy.zones, {
    banner: { kind: 'content', ladder: [{ tier: 'segment', choose: chosen }, anonymous('plain')], cache: briefly },
    letter: {
      kind: 'content',
      ladder: [{ tier: 'segment', choose: [{ when: '"newsletter" in audiences', variant: 'letter' }] }, anonymous('plain')],
    },
    strip: { kind: 'content', ladder: [anonymous('strip')], cache: briefly },
    notice: { kind: 'content', ladder: [anonymous('notice')], cache: { maxAgeSeconds: 0 } },
  });
  Object.assign(policy.pages, {
    shelf: { deadlineMs: 60, zones: ['banner', 'letter'] },
    plain: { deadlineMs: 60, zones: ['strip'] },
    never: { deadlineMs: 60, zones: ['strip', 'notice'] },
  });
  for (const id of ['plain', 'letter', 'strip', 'notice', ...banners.map(({ variant }) => variant)])
    policy.variants[id] = { content: { says: id } };
  return JSON.stringify(policy);
}

export const artefactAddress = '/v1/artefact';
/** What edges and devices decide by themselves with; none of it is about anybody. */
export const tableAddresses = [
  '/v1/decide/classes?page=home',
  '/v1/decide/classes?page=shelf',
  '/v1/decide/classes?zones=banner,footer',
] as const;

/** A shared question is named by its query where it asks for a decision, and else by its address. */
export function addressOfShared(question: string): string {
  return question.startsWith('/') ? question : `/v1/decide?${question}`;
}

/** Every shared question of these pages that has an answer, canonical. */
export function sharedQueries(): readonly string[] {
  const queries = ['page=plain', 'page=never', 'page=home', 'page=shelf', 'page=shelf&audiences=newsletter', 'page=plain&zones=strip'];
  for (const country of countries) {
    queries.push(`page=home&country=${country}`, `page=home&zones=footer,greeting&country=${country}`);
    for (const device of devices)
      queries.push(
        `page=shelf&country=${country}&device=${device}`,
        `page=shelf&audiences=newsletter&country=${country}&device=${device}`,
        `page=home&country=${country}&device=${device}`,
      );
  }
  return queries;
}
