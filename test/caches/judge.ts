/**
 * What is wrong with an answer that came through a cache. The service gives each answer a request id of its own, so an id that comes
 * twice is an answer that a cache kept, whichever product it is and whatever it says of hits. Nothing here measures time but how long an
 * answer was kept, and that from the inside: a slow machine makes it look shorter, never longer.
 */
import { hash } from 'node:crypto';
import { type AnsweredZone, mistakeIn, type Person } from '../../bench/faults/people.ts';
import type { Expectation, Question } from './asking.ts';
import type { Answer } from './client.ts';
import { contentOf, type PublicKey, strayIn } from './device-artefact.ts';
import { artefactAddress } from './policy.ts';

/** What the service itself says to a shared question. Of an artefact: what is signed, but for its instants. */
export interface Truth {
  readonly body: string;
  readonly etag: string;
  readonly cacheControl: string;
}

export const complaintKinds = [
  'somebody else’s',
  'not for devices',
  'kept',
  'wrong answer',
  'too old',
  'headers and body disagree',
  'nothing said of caching',
  'wrong status',
  'not answered',
] as const;
export type ComplaintKind = (typeof complaintKinds)[number];

export interface Complaint {
  readonly kind: ComplaintKind;
  readonly detail: string;
}

export interface Tally {
  /** By name of question and status. */
  readonly statuses: Map<string, number>;
  answers: number;
  shared: number;
  /** Of the shared: answered from what was kept. */
  hits: number;
  /** Errors that the cache itself made of what it should have passed on; requests that it may refuse are not counted. */
  own: number;
  /** Told that nothing has changed since an answer that was another one. No recipe may do it; nobody is shown anything by it. */
  wrongly304: number;
  /** Something else that was answered with what is kept for a shared question. */
  overlooked: number;
  readonly tiers: Map<string, number>;
  degraded: number;
  /** How much longer than it said an answer was kept. */
  oldestBeyondMs: number;
}

export interface Judge {
  readonly tally: Tally;
  of(question: Question, answer: Answer): readonly Complaint[];
}

interface Seen {
  readonly query: string | null;
  readonly answeredAtMs: number;
}

/** What an answer says of itself is in whole seconds. */
const roundingMs = 1_000;

export interface JudgeOptions {
  readonly truths: ReadonlyMap<string, Truth>;
  /** Whose artefacts are the service's. */
  readonly deviceKeys: readonly PublicKey[];
  /** Whether what the cache itself answers, and how long it keeps what may be kept, is as the recipe promises. */
  readonly isStrict: boolean;
}

export function createJudge({ truths, deviceKeys, isStrict }: JudgeOptions): Judge {
  const seen = new Map<string, Seen>();
  const tally: Tally = {
    statuses: new Map(),
    answers: 0,
    shared: 0,
    hits: 0,
    own: 0,
    wrongly304: 0,
    overlooked: 0,
    tiers: new Map(),
    degraded: 0,
    oldestBeyondMs: 0,
  };

  function keptWrongly(id: string, { expectation }: Question, answer: Answer): Complaint[] {
    const query = addressOf(expectation, isStrict);
    const before = seen.get(id);
    if (before === undefined) {
      seen.set(id, { query, answeredAtMs: answer.answeredAtMs });
      return [];
    }
    if (query === null || before.query !== query)
      return [{ kind: 'kept', detail: `made for ${before.query ?? 'one request'}, and given to another` }];
    tally.hits += 1;
    const keptMs = answer.askedAtMs - before.answeredAtMs;
    const beyondMs = keptMs - keptAtMostMs(truths.get(query)?.cacheControl ?? '') - roundingMs;
    tally.oldestBeyondMs = Math.max(tally.oldestBeyondMs, beyondMs);
    return isStrict && beyondMs > 0 ? [{ kind: 'too old', detail: `kept for ${Math.round(keptMs)} ms` }] : [];
  }

  return {
    tally,
    of(question, answer) {
      const { expectation, name } = question;
      const { status, headers } = answer;
      count(tally.statuses, `${name}: ${status}`);
      tally.answers += 1;
      if (expectation.kind === 'shared') tally.shared += 1;
      if (status === 0) return [{ kind: 'not answered', detail: name }];
      const complaints: Complaint[] = [];
      const content = readable(answer, deviceKeys);
      const strange = markersIn({ ...answer, body: content ?? answer.body }).filter((marker) => marker !== ownMarker(expectation));
      const origin = headers['access-control-allow-origin'];
      if (isStrict && origin !== undefined && origin !== question.asked.headers.origin) strange.push(origin);
      if (strange.length > 0) complaints.push({ kind: 'somebody else’s', detail: `${strange.join(', ')} was shown` });
      const stray = content === null ? [] : strayIn(content);
      if (stray.length > 0) complaints.push({ kind: 'not for devices', detail: stray.join(', ') });
      const id = headers['stepwell-request-id'];
      if (typeof id === 'string') complaints.push(...keptWrongly(id, question, answer));
      const isOwn = id === undefined;
      if (isOwn && status >= 400 && !mayBeRefused(question)) tally.own += 1;
      if (headers['cache-control'] === undefined && (isStrict || !isOwn))
        complaints.push({ kind: 'nothing said of caching', detail: `${status}` });
      const address = addressOf(expectation, isStrict);
      const isNobodys = expectation.kind !== 'shared' && address !== null && (content ?? answer.body) === truths.get(address)?.body;
      const isWrongly304 =
        expectation.kind === 'shared' && status === 304 && bare(expectation.validator) !== truths.get(expectation.query)?.etag;
      if (isWrongly304 && !isStrict) tally.wrongly304 += 1;
      else if (isNobodys) tally.overlooked += 1;
      else if (!isOwn || status < 400) complaints.push(...wrongIn(question, { ...answer, content }, truths, tally));
      return complaints.map(({ kind, detail }) => ({
        kind,
        detail: `${name}: ${detail} (${question.asked.method} ${question.asked.path})`,
      }));
    },
  };
}

/** By whatever stands between: what is no request of ours, and a GET with a body. */
function mayBeRefused({ asked, expectation }: Question): boolean {
  return expectation.kind === 'other' || (asked.method === 'GET' && asked.body !== undefined);
}

/** With more errors of its own among its answers, what was asked through a cache says too little. */
export const ownShareMax = 0.01;

/** What an artefact says, whatever was asked for; null: it is none, or nobody signed it. */
function readable({ headers, body }: Answer, deviceKeys: readonly PublicKey[]): string | null {
  return headers['content-type'] === artefactType ? contentOf(body, deviceKeys) : null;
}

const artefactType = 'application/jose';

/**
 * The shared question on whose address it was asked. A cache that overlooks the method, or how an address is written, answers with what it
 * keeps for that question, which is nobody's: no leak, but no recipe may do it.
 */
function addressOf(expectation: Expectation, isStrict: boolean): string | null {
  if (expectation.kind === 'shared') return expectation.query;
  return 'onQuery' in expectation && !isStrict ? expectation.onQuery : null;
}

export function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const naming = /(?:greeting|session|rail|footer|person)-(m\d\d)\b|"marker":"(m\d\d)"/g;

/** Of everybody who is named anywhere in it. */
function markersIn({ headers, body }: Answer): readonly string[] {
  const found = [...JSON.stringify(headers).matchAll(naming), ...body.matchAll(naming)];
  return [...new Set(found.map(([, shown, stored]) => shown ?? stored ?? ''))];
}

function ownMarker(expectation: Expectation): string | null {
  switch (expectation.kind) {
    case 'decision':
    case 'flags':
      return expectation.person.marker;
    case 'record':
      return expectation.marker;
    case 'shared':
    case 'other':
      return null;
  }
}

/** For as long as it may be served without asking, and as long again while it is being fetched. */
function keptAtMostMs(cacheControl: string): number {
  const seconds = (name: string): number => Number(new RegExp(`(?:^|[ ,])${name}=(\\d+)`).exec(cacheControl)?.[1] ?? 0);
  return (seconds('s-maxage') + seconds('stale-while-revalidate')) * 1000;
}

/** A cache that compresses may call a validator weak. */
const bare = (validator: string | null | undefined): string | undefined => validator?.replace(/^W\//, '');

const wrong = (detail: string): Complaint => ({ kind: 'wrong answer', detail });
const disagreement = (detail: string): Complaint => ({ kind: 'headers and body disagree', detail });
const wrongStatus = (status: number): Complaint => ({ kind: 'wrong status', detail: `${status}` });

interface ReadAnswer extends Answer {
  /** Of an artefact. */
  readonly content: string | null;
}

function wrongIn(
  { asked, expectation }: Question,
  answer: ReadAnswer,
  truths: ReadonlyMap<string, Truth>,
  tally: Tally,
): readonly Complaint[] {
  const { status, headers } = answer;
  // Too busy, or without its store.
  if (status === 503) return mustNotBeKept(headers['cache-control']);
  switch (expectation.kind) {
    case 'shared': {
      const truth = truths.get(expectation.query);
      return truth === undefined ? [wrong('nobody knows the right one')] : wrongInShared(asked.method, expectation, answer, truth);
    }
    case 'decision':
      return status === 200 ? wrongInDecision(expectation.person, answer, tally) : [wrongStatus(status)];
    case 'flags':
      // To clients of flags, too busy is a 429.
      if (status === 429) return mustNotBeKept(headers['cache-control']);
      if (status !== 200) return [wrongStatus(status)];
      return wrongInFlags(expectation.person, answer);
    case 'record':
      return status === 200 ? mustNotBeKept(headers['cache-control']) : [wrongStatus(status)];
    case 'other':
      return expectation.statuses.includes(status) ? mustNotBeKept(headers['cache-control']) : [wrongStatus(status)];
  }
}

function mustNotBeKept(cacheControl: string | undefined): readonly Complaint[] {
  return /(^|[ ,])no-store($|,)/.test(cacheControl ?? '') ? [] : [disagreement(`what is nobody else’s says ${cacheControl}`)];
}

type SharedExpectation = Extract<Expectation, { kind: 'shared' }>;

function wrongInShared(
  method: string,
  { query, range, validator }: SharedExpectation,
  { status, headers, body: text, content }: ReadAnswer,
  truth: Truth,
): readonly Complaint[] {
  if (method === 'HEAD') {
    if (text !== '') return [wrong('a HEAD with a body')];
    return status === 200 || status === 404 || status === 405 ? [] : [wrongStatus(status)];
  }
  const complaints: Complaint[] = [];
  const isArtefact = query === artefactAddress;
  const body = isArtefact ? (content ?? '') : text;
  const etag = isArtefact ? `"${hash('sha256', text, 'base64url')}"` : truth.etag;
  if (status === 304) {
    if (bare(validator) !== truth.etag) complaints.push(wrong('nothing has changed, says somebody who was asked for something else'));
    return complaints;
  }
  if (status === 206 && range !== null)
    return body ===
      Buffer.from(truth.body)
        .subarray(range[0], range[1] + 1)
        .toString()
      ? []
      : [wrong('another part')];
  if (status !== 200) return [wrongStatus(status)];
  if (body !== truth.body) complaints.push(wrong(`not what the service says: ${body.slice(0, 300)}`));
  if (headers['cache-control'] !== truth.cacheControl)
    complaints.push(disagreement(`${headers['cache-control']} for ${truth.cacheControl}`));
  if (bare(headers.etag) !== etag) complaints.push(disagreement(`its validator is ${headers.etag}`));
  return complaints;
}

interface Flag {
  readonly key: string;
  readonly variant: string;
}

/** Each shows what is that person's, their country's or everybody's. */
function wrongInFlags({ marker, country }: Person, { headers, body }: Answer): readonly Complaint[] {
  const complaints: Complaint[] = [];
  if (headers['cache-control'] !== 'private, no-cache') complaints.push(disagreement(`flags say ${headers['cache-control']}`));
  const told = JSON.parse(body) as Flag | { readonly flags: readonly Flag[] };
  for (const { key, variant } of 'flags' in told ? told.flags : [told]) {
    const theirs = [`${key}-${marker}`, `session-${marker}`, `land-${country}`, 'standard'];
    if (!theirs.includes(variant)) complaints.push(wrong(`the flag ${key} is ${variant}`));
  }
  return complaints;
}

interface Envelope {
  readonly decisionId: string;
  readonly zones: readonly (AnsweredZone & { readonly cache: { readonly degraded: boolean } })[];
}

function wrongInDecision(person: Person, { headers, body }: Answer, tally: Tally): readonly Complaint[] {
  const complaints: Complaint[] = [];
  const { decisionId, zones } = JSON.parse(body) as Envelope;
  if (headers['cache-control'] !== 'private, no-store') complaints.push(disagreement(`a decision says ${headers['cache-control']}`));
  if (decisionId !== headers['stepwell-request-id']) complaints.push(disagreement('the body is of another request than the headers'));
  const mistake = mistakeIn(person, person.highest, zones);
  if (mistake !== null) complaints.push(wrong(mistake));
  for (const { tier } of zones) count(tally.tiers, tier);
  if (zones.some(({ cache }) => cache.degraded)) tally.degraded += 1;
  return complaints;
}
