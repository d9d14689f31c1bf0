/**
 * The HTTP services that a policy names, ready to be asked. A policy that names one it may not ask, or a header whose variable is
 * not set, is told so before anything is opened; a source that the next policy leaves as it is keeps its connections.
 */
import type { Artefact, DependencySettings, HttpSourceSettings } from '../decision/artefact.ts';
import type { IdentityLink, Profile } from '../decision/facts.ts';
import type { Attributes, Value } from '../decision/value.ts';
import type { Clock } from '../time/clock.ts';
import { createAddressGuard } from './address-guard.ts';
import { createHttpSource, createSourceLine, type HttpSource, type SourceLine } from './http-source.ts';
import { audienceReader, identityReader, profileReader, propensityReader, type Reader } from './mapped.ts';
import { type ResolveName, sparingly, systemResolve } from './name-lookup.ts';
import { createRequestTemplate, type Variable } from './request-template.ts';
import { createTransport } from './transport.ts';

export interface Sources {
  /** Null: not an HTTP service, so the store is asked, or nobody. */
  readonly identity: HttpSource<IdentityLink> | null;
  readonly profile: HttpSource<Profile> | null;
  readonly audience: HttpSource<readonly string[]> | null;
  readonly model: HttpSource<Readonly<Record<string, number>>> | null;
}

/** A policy without HTTP sources. */
export const noSources: Sources = { identity: null, profile: null, audience: null, model: null };

export interface SourceOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** As `originOf` writes them. */
  readonly origins: readonly string[];
  /** As `isNetwork` accepts them. */
  readonly networks: readonly string[];
  readonly clock: Clock;
  /** Absent: the system's. */
  readonly resolve?: ResolveName;
  /** Absent: the system's authorities. */
  readonly certificateAuthority?: string | undefined;
}

/** A policy cannot be put in force with what the operator allows. */
export class SourceProblem extends Error {
  override readonly name = 'SourceProblem';
  /** A sentence each: they name dependencies, origins and variables, and never what a variable holds. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

export interface SourceKeeper {
  /** What stands against the artefact's sources; empty where nothing does. Opens nothing. */
  problemsOf(artefact: Artefact): readonly string[];
  /** Opens what the artefact names and is not open yet. Throws a `SourceProblem`, and then everything is as it was. */
  sourcesFor(artefact: Artefact): Sources;
  /** What is under way fails, and so does everything that is asked from now on. */
  close(): Promise<void>;
}

export const sourceDependencies = ['identity', 'profile', 'audience', 'model'] as const;
export type SourceDependency = (typeof sourceDependencies)[number];

/** Longer than any decision takes: what was decided by the policy before may still be asking. */
const retiredAfterMs = 10_000;

export function createSourceKeeper(options: SourceOptions): SourceKeeper {
  const { environment, clock } = options;
  const origins: ReadonlySet<string> = new Set(options.origins);
  const guard = createAddressGuard(options.networks);
  const resolve = sparingly(options.resolve ?? systemResolve, clock);
  /** By all that a connection and a request depend on. */
  let open = new Map<string, SourceLine>();
  const retiring = new Map<SourceLine, () => void>();

  function problemsOf({ dependencies }: Artefact): readonly string[] {
    return sourceDependencies.flatMap((dependency) => {
      const { source } = dependencies[dependency];
      return source === null ? [] : problemsOfSource(dependency, source, origins, environment);
    });
  }

  function openLine(dependency: SourceDependency, source: HttpSourceSettings): SourceLine {
    const template = createRequestTemplate(source, variableOf[dependency], headersOf(source, environment));
    const { connections, maxBytes } = source;
    const { certificateAuthority } = options;
    const transport = createTransport({ origin: template.origin, connections, maxBytes, guard, resolve, clock, certificateAuthority });
    return createSourceLine(template, transport, clock);
  }

  function retire(line: SourceLine): void {
    const cancel = clock.after(retiredAfterMs, () => {
      retiring.delete(line);
      line.transport.close();
    });
    retiring.set(line, cancel);
  }

  return {
    problemsOf,
    sourcesFor(artefact) {
      const problems = problemsOf(artefact);
      if (problems.length > 0) throw new SourceProblem(problems);
      const lines = new Map<string, SourceLine>();
      const sourceOf = <T>(dependency: SourceDependency, readerOf: (map: HttpSourceSettings['map']) => Reader<T>): HttpSource<T> | null => {
        const settings: DependencySettings = artefact.dependencies[dependency];
        const { source, budgetMs, retries } = settings;
        if (source === null) return null;
        const read = readerOf(source.map);
        const key = keyOf(dependency, source);
        const line = open.get(key) ?? openLine(dependency, source);
        lines.set(key, line);
        const written = attributeWriter(artefact.attributes.request, source.send);
        return createHttpSource({ line, variable: variableOf[dependency], budgetMs, retries, read, written, clock });
      };
      const sources = {
        identity: sourceOf('identity', identityReader),
        profile: sourceOf('profile', (map) => profileReader(map, artefact)),
        audience: sourceOf('audience', (map) => audienceReader(map, artefact)),
        model: sourceOf('model', (map) => propensityReader(map, artefact)),
      };
      for (const [key, line] of open) if (!lines.has(key)) retire(line);
      open = lines;
      return sources;
    },
    async close() {
      for (const cancel of retiring.values()) cancel();
      const lines = [...open.values(), ...retiring.keys()];
      open = new Map();
      retiring.clear();
      await Promise.all(lines.map(({ transport }) => transport.close()));
    },
  };
}

const variableOf: Readonly<Record<SourceDependency, Variable>> = {
  identity: 'deviceId',
  profile: 'subject',
  audience: 'subject',
  model: 'subject',
};

function problemsOfSource(
  dependency: SourceDependency,
  { url, headers }: HttpSourceSettings,
  origins: ReadonlySet<string>,
  environment: SourceOptions['environment'],
): readonly string[] {
  const { origin } = new URL(url);
  const ofOrigin = origins.has(origin)
    ? []
    : [`dependency \`${dependency}\` asks \`${origin}\`, which may not be asked: add it to \`STEPWELL_HTTP_ORIGINS\``];
  const ofHeaders = Object.entries(headers).flatMap(([name, value]) => {
    if ('text' in value) return [];
    const given = environment[value.env];
    if (given === undefined || given === '')
      return [`dependency \`${dependency}\` takes its header \`${name}\` from \`${value.env}\`, which is not set`];
    return isHeaderText(given)
      ? []
      : [
          `dependency \`${dependency}\` takes its header \`${name}\` from \`${value.env}\`, which holds what no header may: write one line of ASCII`,
        ];
  });
  return [...ofOrigin, ...ofHeaders];
}

/** Only what is sent, with times as text: integers of milliseconds are ours. */
function attributeWriter(declarations: Artefact['attributes']['request'], send: readonly string[]): (request: Attributes) => Attributes {
  return (request) => {
    const written: Record<string, Value> = Object.create(null);
    for (const name of send) {
      const value = Object.hasOwn(request, name) ? request[name] : undefined;
      if (value === undefined) continue;
      const isInstant = typeof value === 'number' && Math.abs(value) <= instantMax && declarations[name]?.type === 'timestamp';
      written[name] = isInstant ? new Date(value).toISOString() : value;
    }
    return written;
  };
}

/** Beyond it no calendar has a date. */
const instantMax = 8_640_000_000_000_000;

function headersOf({ headers }: HttpSourceSettings, environment: SourceOptions['environment']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, 'text' in value ? value.text : (environment[value.env] ?? '')]),
  );
}

function isHeaderText(value: string): boolean {
  return /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}

/** Mapping, budget and retries may change while a source stays. */
function keyOf(dependency: SourceDependency, { url, method, headers, send, maxBytes, connections }: HttpSourceSettings): string {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([dependency, url, method, sorted, send, maxBytes, connections]);
}
