/** Opens HTTP services and reads them as a policy says. Loaded with the first policy that names one: the client takes its time. */
import type { Artefact, HttpSourceSettings } from '../decision/artefact.ts';
import type { Attributes, Value } from '../decision/value.ts';
import { variableOf } from '../policy/source-variables.ts';
import type { Clock } from '../time/clock.ts';
import { createHttpSource, createSourceLine, type HttpSource, type SourceLine, type SourceTally } from './http-source.ts';
import { audienceReader, identityReader, profileReader, propensityReader, type Reader } from './mapped.ts';
import { createRequestTemplate } from './request-template.ts';
import type { SourceDependency, Sources } from './sources.ts';
import { createTransport, type TransportOptions } from './transport.ts';

/** What all connections share. */
export interface Surroundings extends Pick<TransportOptions, 'guard' | 'resolve' | 'certificateAuthority'> {
  readonly clock: Clock;
}

export function openLine(
  dependency: SourceDependency,
  source: HttpSourceSettings,
  headers: Readonly<Record<string, string>>,
  surroundings: Surroundings,
): SourceLine {
  const template = createRequestTemplate(source, variableOf[dependency], headers);
  const { connections, maxBytes } = source;
  return createSourceLine(
    template,
    createTransport({ ...surroundings, origin: template.origin, connections, maxBytes }),
    surroundings.clock,
  );
}

export function sourcesOver(
  artefact: Artefact,
  clock: Clock,
  tallies: Readonly<Record<SourceDependency, SourceTally>>,
  lineOf: (dependency: SourceDependency, source: HttpSourceSettings) => SourceLine,
): Sources {
  const sourceOf = <T>(dependency: SourceDependency, readerOf: (map: HttpSourceSettings['map']) => Reader<T>): HttpSource<T> | null => {
    const { source, budgetMs, retries } = artefact.dependencies[dependency];
    if (source === null) return null;
    const read = readerOf(source.map);
    const written = attributeWriter(artefact.attributes.request, source.send);
    return createHttpSource({
      line: lineOf(dependency, source),
      tally: tallies[dependency],
      variable: variableOf[dependency],
      budgetMs,
      retries,
      read,
      written,
      clock,
    });
  };
  return {
    identity: sourceOf('identity', identityReader),
    profile: sourceOf('profile', (map) => profileReader(map, artefact)),
    audience: sourceOf('audience', (map) => audienceReader(map, artefact)),
    model: sourceOf('model', (map) => propensityReader(map, artefact)),
  };
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
