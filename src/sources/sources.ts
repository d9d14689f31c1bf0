/**
 * The HTTP services that a policy names, ready to be asked. A policy that names one it may not ask, or a header whose variable is
 * not set, is told so before anything is opened; a source that the next policy leaves as it is keeps its connections.
 */
import type { Artefact, HttpSourceSettings } from '../decision/artefact.ts';
import type { IdentityLink, Profile } from '../decision/facts.ts';
import { type Sourced, sourced } from '../policy/source-variables.ts';
import type { Clock } from '../time/clock.ts';
import { createAddressGuard } from './address-guard.ts';
import type { HttpSource, SourceLine, SourceTally } from './http-source.ts';
import { type ResolveName, sparingly, systemResolve } from './name-lookup.ts';

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
  /**
   * Opens what the artefact names and is not open yet, one artefact after another. Rejects with a `SourceProblem`, and then everything is as it was. A promise,
   * because the client is loaded with the first policy that needs it: a start without one does not wait for it.
   */
  sourcesFor(artefact: Artefact): Promise<Sources>;
  /** What is under way fails, and so does everything that is asked from now on. */
  close(): Promise<void>;
}

export const sourceDependencies = sourced;
export type SourceDependency = Sourced;

/** How long the policy before may still begin decisions, while the next one is being put in force. */
const replacedWithinMs = 10_000;

export function createSourceKeeper(options: SourceOptions): SourceKeeper {
  const { environment, clock } = options;
  const origins: ReadonlySet<string> = new Set(options.origins);
  const surroundings = {
    guard: createAddressGuard(options.networks),
    resolve: sparingly(options.resolve ?? systemResolve, clock),
    clock,
    certificateAuthority: options.certificateAuthority,
  };
  let isClosed = false;
  /** By all that a connection and a request depend on. */
  let open = new Map<string, SourceLine>();
  const retiring = new Map<SourceLine, () => void>();
  const tallies: Readonly<Record<SourceDependency, SourceTally>> = {
    identity: { asks: 0, calls: 0 },
    profile: { asks: 0, calls: 0 },
    audience: { asks: 0, calls: 0 },
    model: { asks: 0, calls: 0 },
  };
  /** Of all policies so far: a line may serve several. */
  let deadlineMaxMs = 0;
  let latest: Promise<unknown> = Promise.resolve();

  function problemsOf({ dependencies }: Artefact): readonly string[] {
    return sourceDependencies.flatMap((dependency) => {
      const { source } = dependencies[dependency];
      return source === null ? [] : problemsOfSource(dependency, source, origins, environment);
    });
  }

  /** Once nothing that was decided by the policy before can still be asking. */
  function retire(line: SourceLine): void {
    const cancel = clock.after(replacedWithinMs + deadlineMaxMs, () => {
      retiring.delete(line);
      line.transport.close();
    });
    retiring.set(line, cancel);
  }

  async function openAll(artefact: Artefact): Promise<Sources> {
    const problems = problemsOf(artefact);
    if (problems.length > 0) throw new SourceProblem(problems);
    const opening = namesAny(artefact) ? await import('./opening.ts') : null;
    if (isClosed) throw new Error('the sources are closed');
    const lines = new Map<string, SourceLine>();
    const sources =
      opening?.sourcesOver(artefact, clock, tallies, (dependency, source) => {
        const key = keyOf(dependency, source);
        const line = open.get(key) ?? opening.openLine(dependency, source, headersOf(source, environment), surroundings);
        lines.set(key, line);
        return line;
      }) ?? noSources;
    for (const [key, line] of open) if (!lines.has(key)) retire(line);
    open = lines;
    deadlineMaxMs = Math.max(deadlineMaxMs, artefact.deadline.maxMs);
    return sources;
  }

  return {
    problemsOf,
    sourcesFor(artefact) {
      // Some wait and some do not, and of two policies the later one must be in force.
      const sources = latest.then(() => openAll(artefact));
      latest = sources.catch(() => {});
      return sources;
    },
    async close() {
      isClosed = true;
      for (const cancel of retiring.values()) cancel();
      const lines = [...open.values(), ...retiring.keys()];
      open = new Map();
      retiring.clear();
      await Promise.all(lines.map(({ transport }) => transport.close()));
    },
  };
}

function namesAny({ dependencies }: Artefact): boolean {
  return sourceDependencies.some((dependency) => dependencies[dependency].source !== null);
}

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
