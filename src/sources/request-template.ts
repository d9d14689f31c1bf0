/**
 * Fills in what a policy says about a request: the address, the body and the headers. A value can only ever be a value: whatever it
 * holds, it ends no path segment, starts no parameter and no header line.
 */
import type { HttpSourceSettings } from '../decision/artefact.ts';
import type { Attributes } from '../decision/value.ts';
import type { Variable } from '../policy/source-variables.ts';

export interface SourceRequest {
  readonly method: 'GET' | 'POST';
  /** With the query. */
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: string | null;
}

export interface RequestTemplate {
  readonly origin: string;
  /** `request` is what a POST carries. Null where the value can stand in no address: nothing is to be sent then. */
  fill(value: string, request: Attributes): SourceRequest | null;
}

/** Stands for the variable while the address is parsed: a parser writes braces differently in paths and queries. */
const placeholder = 'stepwellplaceholderofavariable';

/** `headers` are the settings' own, with what the environment said. INVARIANT: the policy compiler has checked the address. */
export function createRequestTemplate(
  { url, method }: HttpSourceSettings,
  variable: Variable,
  headers: Readonly<Record<string, string>>,
): RequestTemplate {
  const { origin, pathname, search } = new URL(url.replaceAll(`{${variable}}`, placeholder));
  const parts = `${pathname}${search}`.split(placeholder);
  const isPost = method === 'POST';
  const given = [...Object.entries(headers).flat(), 'accept', 'application/json', ...(isPost ? ['content-type', 'application/json'] : [])];

  return {
    origin,
    fill(value, request) {
      const encoded = encodedValue(value);
      if (encoded === null) return null;
      return {
        method,
        path: parts.join(encoded),
        headers: given,
        body: isPost ? JSON.stringify({ [variable]: value, request }) : null,
      };
    },
  };
}

/** Dots alone are a step in a path, however they are written, and half a surrogate pair has no encoding. */
function encodedValue(value: string): string | null {
  return value === '' || value === '.' || value === '..' || !value.isWellFormed() ? null : encodeURIComponent(value);
}
