/**
 * Who asks what of a cache: people for what is theirs, anybody for what is shared, and whoever hopes that a cache takes the one for the
 * other. Drawn from a seed, so that a run can be made again.
 */
import type { Person } from '../../bench/faults/people.ts';
import type { Random } from '../../bench/faults/random.ts';
import { bentEnds } from '../support/bent-addresses.ts';
import type { Asked } from './client.ts';
import { addressOfShared, artefactAddress, sharedQueries, tableAddresses } from './policy.ts';
import { type KeyName, keyOf, pageOrigins } from './world.ts';

/** What may be answered, besides a 503 that says so for itself. `query`: as `addressOfShared` takes it. */
export type Expectation =
  | { readonly kind: 'shared'; readonly query: string; readonly range: readonly [number, number] | null; readonly validator: string | null }
  /** `onQuery`: asked on the address of that shared question. */
  | { readonly kind: 'decision'; readonly person: Person; readonly onQuery: string | null }
  /** A record of somebody, for whoever holds the key to records. */
  | { readonly kind: 'record'; readonly marker: string }
  | { readonly kind: 'flags'; readonly person: Person }
  /** `onQuery`: on an address that a cache may take for that of this shared question. */
  | { readonly kind: 'other'; readonly statuses: readonly number[]; readonly onQuery: string | null };

export interface Question {
  readonly asked: Asked;
  readonly expectation: Expectation;
  readonly name: string;
}

export interface Knowledge {
  readonly people: readonly Person[];
  /** Of each shared query, what the service itself names its answer. */
  readonly validators: ReadonlyMap<string, string>;
}

const json = { 'content-type': 'application/json' };
const bearer = (key: KeyName) => ({ authorization: `Bearer ${keyOf(key)}` });

type Draw = <T>(values: readonly [T, ...T[]] | readonly T[]) => T;

export function createAsking(random: Random, knowledge: Knowledge): () => Question {
  const draw: Draw = (values) => values[Math.floor(random() * values.length)] as (typeof values)[number];
  const weighted = kinds.flatMap(({ weight, make }) => Array.from({ length: weight }, () => make));
  return () => draw(weighted)({ draw, knowledge, chance: random });
}

interface Drawing {
  readonly draw: Draw;
  readonly knowledge: Knowledge;
  readonly chance: Random;
}

const queries = sharedQueries();

/** What is no part of a shared question, whoever sends it: the asker's own secrets, and what others have poisoned caches with. */
const beside: readonly ((drawing: Drawing) => Readonly<Record<string, string>>)[] = [
  () => ({}),
  () => ({}),
  () => bearer('edge'),
  ({ draw, knowledge }) => ({ cookie: `who=person-${draw(knowledge.people).marker}` }),
  ({ draw, knowledge }) => ({ dpop: `person-${draw(knowledge.people).marker}` }),
  ({ draw }) => ({ origin: draw(pageOrigins) }),
  ({ draw }) => ({ 'cache-control': draw(['no-cache', 'max-age=0', 'no-store', 'only-if-fresh']) }),
  () => ({ pragma: 'no-cache' }),
  ({ draw, knowledge }) => ({ [draw(unkeyed)]: draw([`person-${draw(knowledge.people).marker}`, 'FR', '1', 'evil.example']) }),
];

const unkeyed = [
  'x-forwarded-host',
  'x-forwarded-scheme',
  'x-forwarded-port',
  'x-forwarded-for',
  'forwarded',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-edge-segment',
  'cf-ipcountry',
  'sec-gpc',
  'accept-language',
];

interface Kind {
  readonly weight: number;
  readonly make: (drawing: Drawing) => Question;
}

const shared = (
  name: string,
  asked: Partial<Asked>,
  query: string,
  more: { range?: [number, number]; validator?: string } = {},
): Question => ({
  name,
  asked: { method: 'GET', path: addressOfShared(query), headers: {}, ...asked },
  expectation: { kind: 'shared', query, range: more.range ?? null, validator: more.validator ?? null },
});

const other = (name: string, statuses: readonly number[], asked: Partial<Asked>, onQuery: string | null = null): Question => ({
  name,
  asked: { method: 'GET', path: '/v1/decide?page=home', headers: {}, ...asked },
  expectation: { kind: 'other', statuses, onQuery },
});

/** As everybody asks, by whatever stands beside it, by a validator of it or of something else, or for its head. */
function sharedBeside(name: string, it: Drawing, address: string): Question {
  const { validators } = it.knowledge;
  if (it.chance() < 0.1) return shared(`${name}, its head`, { method: 'HEAD' }, address);
  if (it.chance() < 0.7) return shared(name, { headers: it.draw(beside)(it) }, address);
  const validator = it.draw([validators.get(address), validators.get(it.draw(tableAddresses)), '"-"']) ?? '"-"';
  return shared(`${name}, with a validator`, { headers: { 'if-none-match': validator } }, address, { validator });
}

const decideBody = ({ body }: Person, deadlineMs: number): string => JSON.stringify({ ...body, deadlineMs });

function decision(name: string, { draw, knowledge }: Drawing, onQuery: string | null = null): Question {
  const person = draw(knowledge.people);
  const headers = { ...json, ...bearer('edge'), ...person.headers };
  const path = onQuery === null ? '/v1/decide' : `/v1/decide?${onQuery}`;
  const asked = { method: 'POST', path, headers, body: decideBody(person, draw([20, 60, 120])) };
  return { name, asked, expectation: { kind: 'decision', person, onQuery } };
}

const kinds: readonly Kind[] = [
  { weight: 34, make: (it) => shared('shared', { headers: it.draw(beside)(it) }, it.draw(queries)) },
  {
    weight: 5,
    make(it) {
      const query = it.draw(queries);
      const validator = it.draw([it.knowledge.validators.get(query), it.knowledge.validators.get(it.draw(queries)), '"-"']) ?? '"-"';
      return shared('shared, with a validator', { headers: { 'if-none-match': validator } }, query, { validator });
    },
  },
  { weight: 2, make: (it) => shared('shared, a part', { headers: { range: 'bytes=2-20' } }, it.draw(queries), { range: [2, 20] }) },
  { weight: 2, make: (it) => shared('shared, its head', { method: 'HEAD' }, it.draw(queries)) },
  {
    weight: 2,
    make(it) {
      const body = decideBody(it.draw(it.knowledge.people), 60);
      return shared('shared, with somebody’s body', { headers: json, body }, it.draw(queries));
    },
  },
  { weight: 4, make: (it) => sharedBeside('table of classes', it, it.draw(tableAddresses)) },
  { weight: 4, make: (it) => sharedBeside('artefact', it, artefactAddress) },
  {
    weight: 1,
    make: (it) => other('bad token', [401], { path: it.draw(['/ofrep/v1/stream?t=x', '/ofrep/v1/stream']) }),
  },
  // Shared answers are public here, and so are artefacts; by that address nobody keeps one.
  { weight: 1, make: () => other('artefact by a bad token', [200], { path: '/v1/artefact?t=x' }) },
  {
    weight: 1,
    make: (it) => other('bent artefact', [404, 400], { path: `${artefactAddress}${it.draw(bentEnds)}` }, artefactAddress),
  },
  {
    weight: 1,
    make: (it) =>
      other('bad query of classes', [400, 404], { path: `/v1/decide/classes${it.draw(['', '?page=nowhere', '?page=home&country=DE'])}` }),
  },
  { weight: 30, make: (it) => decision('decision', it) },
  // On the address of a shared question, so that a key of addresses alone takes one for the other. Its query says nothing to a POST.
  { weight: 4, make: (it) => decision('decision, on a shared address', it, it.draw(queries)) },
  {
    weight: 5,
    make({ draw, knowledge }) {
      const { subject, marker } = draw(knowledge.people);
      const asked = { method: 'GET', path: `/v1/profiles/${subject}`, headers: bearer('desk') };
      return { name: 'record', asked, expectation: { kind: 'record', marker } };
    },
  },
  {
    weight: 4,
    make({ draw, knowledge }) {
      const { subject } = draw(knowledge.people);
      const headers = draw([{}, { cookie: `who=${subject}` }, bearer('edge')]);
      return other('record, without its key', [401, 403], { path: `/v1/profiles/${subject}`, headers });
    },
  },
  {
    weight: 3,
    make(it) {
      const path = `/v1/decide${it.draw(bentEnds)}?page=home`;
      if (it.chance() < 0.5) return other('bent address', [404, 400], { path }, 'page=home');
      const { body = '', headers } = decision('', it).asked;
      return other('bent address, with somebody’s body', [404, 400, 405], { method: 'POST', path, headers, body }, 'page=home');
    },
  },
  {
    weight: 1,
    // A query that looks like a picture is a parameter that nobody knows; another spelling of the path is none of ours.
    make: (it) =>
      other('bent query', [400, 404], {
        path: it.draw(['/v1/decide?page=home&x.css', '/v1/decid%65?page=home&x.css', '/V1/decide?page=home']),
      }),
  },
  {
    weight: 2,
    make: (it) =>
      other('bad query', [400], {
        path: `/v1/decide?${it.draw(['page=home&utm_source=x', 'page=home&page=home', 'country=DE&page=home', 'page=home&country=', 'page=home&token=x'])}`,
      }),
  },
  { weight: 1, make: () => other('unknown page', [404], { path: '/v1/decide?page=nowhere' }) },
  { weight: 1, make: () => other('unknown route', [404], { path: '/v1/nothing' }) },
  {
    weight: 1,
    make: () =>
      other('bad key', [401, 429], { method: 'POST', path: '/v1/decide', headers: { ...json, authorization: 'Bearer no' }, body: '{}' }),
  },
  {
    weight: 1,
    make: () => other('no scope', [403], { method: 'POST', path: '/v1/decide', headers: { ...json, ...bearer('desk') }, body: '{}' }),
  },
  {
    weight: 1,
    make: () => {
      const headers = { ...json, ...bearer('slow') };
      return other('key of few requests', [200, 429], { method: 'POST', path: '/v1/decide', headers, body: '{"page":"plain"}' });
    },
  },
  {
    weight: 1,
    make: (it) => {
      const { asked } = decision('', it);
      return other('too large', [413], { ...asked, body: `${asked.body?.slice(0, -1)},"${'x'.repeat(40_000)}":1}` });
    },
  },
  { weight: 1, make: (it) => other('bad body', [400], { ...decision('', it).asked, body: '{"page":"home","unknown":1}' }) },
  {
    weight: 1,
    make: (it) => other('other type', [415], { ...decision('', it).asked, headers: { ...bearer('edge'), 'content-type': 'text/plain' } }),
  },
  { weight: 1, make: () => other('other method', [405, 404], { method: 'DELETE', path: '/v1/decide' }) },
  { weight: 4, make: (it) => flags(it) },
  {
    weight: 1,
    make(it) {
      const { asked } = flags(it);
      const [path, body, status] = it.draw(badFlags);
      // To clients of flags, too busy is a 429.
      return other('bad flags', [status, 429], { ...asked, path, body });
    },
  },
];

const badFlags = [
  ['/ofrep/v1/evaluate/flags/nothing', '{"context":{"page":"home"}}', 404],
  ['/ofrep/v1/evaluate/flags', '{"context":1}', 400],
  ['/ofrep/v1/evaluate/flags', '{', 400],
] as const;

function flags({ draw, knowledge }: Drawing): Question {
  const person = draw(knowledge.people);
  const { identity, consent } = person.body as { identity: object; consent?: object };
  const context = { ...identity, ...(consent === undefined ? {} : { consent }), page: 'home', country: person.country };
  const path = `/ofrep/v1/evaluate/flags${draw(['', '', '/greeting', '/rail', '/footer'])}`;
  const key = draw([bearer('edge'), { 'x-api-key': keyOf('edge') }]);
  const held = draw([{}, { 'if-none-match': draw([...knowledge.validators.values()]) }]);
  const headers = { ...json, ...key, ...held, ...person.headers };
  return {
    name: 'flags',
    asked: { method: 'POST', path, headers, body: JSON.stringify({ context }) },
    expectation: { kind: 'flags', person },
  };
}
