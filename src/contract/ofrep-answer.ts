/**
 * From decisions to OFREP's answers. A zone is a flag and what its variant holds is the flag's value. Nothing of the moment stands in an
 * answer, so that what did not change keeps its bytes, and with them its ETag.
 */
import type { Artefact } from '../decision/artefact.ts';
import type { ZoneDecision } from '../decision/decision.ts';
import type { Json } from '../decision/value.ts';
import { knownText } from './answer-text.ts';
import { type ProblemCode, ProblemError, type ProblemPlace } from './problem.ts';
import { streamPath } from './session-tokens.ts';

export const ofrepReasons = ['TARGETING_MATCH', 'SPLIT', 'DEFAULT', 'DISABLED'] as const;
export type OfrepReason = (typeof ofrepReasons)[number];

/** Flat, and only texts: clients drop what is not text, number, true or false. */
export type OfrepMetadata = Readonly<Record<string, string>>;

export function flagText(zone: ZoneDecision, artefact: Artefact, ignored: readonly string[]): string {
  const shown = shownOf(zone, artefact);
  // OFREP has no value that is null: the application's own default stands for it.
  const value = shown.content === null ? '' : `,"value":${knownText(shown.content)}`;
  const variant = shown.variant === null ? '' : `,"variant":${JSON.stringify(shown.variant)}`;
  const metadata = { ...metadataOf(zone, artefact), ...ignoredMetadata(ignored) };
  return `{"key":${JSON.stringify(zone.zone)},"reason":"${reasonOf(zone)}"${variant}${value},"metadata":${JSON.stringify(metadata)}}`;
}

export interface FlagSet {
  readonly ignored: readonly string[];
  /** What a page may open a stream of change notices with; null: there are none. */
  readonly streamToken: string | null;
}

/** Sorted by key: which order the zones chose in is not the application's concern. */
export function flagsText(zones: readonly ZoneDecision[], artefact: Artefact, { ignored, streamToken }: FlagSet): string {
  const flags = zones
    .toSorted((a, b) => (a.zone < b.zone ? -1 : 1))
    .map((zone) => flagText(zone, artefact, []))
    .join(',');
  const metadata = ignored.length === 0 ? '' : `,"metadata":${JSON.stringify(ignoredMetadata(ignored))}`;
  const streams = streamToken === null ? '' : `,"eventStreams":${JSON.stringify([eventStream(streamToken)])}`;
  return `{"flags":[${flags}]${metadata}${streams}}`;
}

/** A path, because only the application knows under which origin it reaches us. The token keeps its text for minutes, and so does the ETag. */
function eventStream(token: string) {
  return { type: 'sse', endpoint: { requestUri: `${streamPath}?t=${token}` }, inactivityDelaySec: inactivitySeconds };
}

/** As the protocol has it: a page that nobody has looked at for so long closes its stream, and asks anew when somebody does. */
const inactivitySeconds = 120;

interface Shown {
  readonly variant: string | null;
  readonly content: Json;
}

/**
 * A zone that is to be left empty for want of time has a value all the same, because an application that knows nothing of this would fill
 * the place with something of its own: the variant that somebody approved for exactly that. `render` tells whoever does know.
 */
function shownOf({ zone, variant, content, render }: ZoneDecision, { zones, variants }: Artefact): Shown {
  if (render !== 'suppress') return { variant, content };
  const last = zones[zone]?.ladder.at(-1)?.select;
  const approved = last?.by === 'choose' ? (last.rules[0]?.variant ?? null) : null;
  return { variant: approved, content: approved === null ? null : (variants[approved]?.content ?? null) };
}

function reasonOf({ tier, render, propensityPpm, downgrade }: ZoneDecision): OfrepReason {
  if (downgrade?.reason === 'zone_disabled' || downgrade?.reason === 'kill_switch') return 'DISABLED';
  if (tier === 'anonymous' || render === 'suppress') return 'DEFAULT';
  return propensityPpm === null ? 'TARGETING_MATCH' : 'SPLIT';
}

function metadataOf({ tier, intendedTier, downgrade, cache, render }: ZoneDecision, { policy, revision }: Artefact): OfrepMetadata {
  return {
    tier,
    intendedTier,
    ...(downgrade === null ? {} : { downgradeReason: downgrade.reason, downgradeCause: downgrade.cause }),
    cacheScope: cache.scope,
    policy,
    revision,
    ...(render === 'now' ? {} : { render }),
  };
}

function ignoredMetadata(ignored: readonly string[]): OfrepMetadata {
  return ignored.length === 0 ? {} : { ignoredContext: ignored.join(',') };
}

export const ofrepErrorCodes = ['PARSE_ERROR', 'INVALID_CONTEXT', 'FLAG_NOT_FOUND', 'GENERAL'] as const;
export type OfrepErrorCode = (typeof ofrepErrorCodes)[number];

/** Of a flag that the policy does not have. */
export function unknownFlag(): ProblemError {
  return new ProblemError('unknown_zone', 'the policy has no zone of this name');
}

export interface OfrepError {
  readonly status: number;
  readonly body: object;
  /** Where it is worth while to ask again; null: nothing is known. */
  readonly retryAfterSeconds: number | null;
}

/**
 * Only what the clients of OFREP understand: they take any other status for a broken service, and read no error that lacks its code. Who is
 * asked for too much answers 429, after which clients leave it alone for as long as it says; and without a policy 500, after which they go
 * on with what they had.
 */
export function ofrepError({ code, detail, errors, status, retryAfterSeconds }: ProblemError, key: string | null): OfrepError {
  const places = errors.map(({ pointer, detail: place }) => (pointer === '' ? place : `${pointer}: ${place}`));
  const errorDetails = places.length === 0 ? detail : places.join('; ');
  return {
    status: statusOf(code, status),
    body: { ...(key === null ? {} : { key }), errorCode: errorCodeOf(code, errors), errorDetails },
    retryAfterSeconds: retryAfterSeconds ?? (status === 503 ? retryAfterOverloadSeconds : null),
  };
}

const retryAfterOverloadSeconds = 1;
const keptStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404, 429, 500]);

function statusOf(code: ProblemCode, status: number): number {
  if (code === 'overloaded') return 429;
  if (keptStatuses.has(status)) return status;
  return status < 500 ? 400 : 500;
}

/** What is JSON and too deep or too much, which is said of the whole, was parsed: the context is not one that we take. */
function errorCodeOf(code: ProblemCode, errors: readonly ProblemPlace[]): OfrepErrorCode {
  if (code === 'unknown_zone') return 'FLAG_NOT_FOUND';
  if (code === 'malformed_json' && errors.some(({ pointer }) => pointer === '')) return 'INVALID_CONTEXT';
  if (code === 'malformed_json' || code === 'unsupported_media_type') return 'PARSE_ERROR';
  return code === 'invalid_request' ? 'INVALID_CONTEXT' : 'GENERAL';
}
