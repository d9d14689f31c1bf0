/** The query of a route that may be asked with a visitor's token in it: `t` and nothing else, once. */
import { invalidRequest } from './problem.ts';

/** Null: none is given. INVARIANT: no problem repeats it. */
export function readTokenQuery(query: string): string | null {
  if (query === '') return null;
  const [name, token, ...more] = query.split('=');
  if (name !== 't' || token === undefined || token === '' || more.length > 0 || token.includes('&')) {
    throw invalidRequest([{ in: 'query', pointer: '/t', detail: 'the only parameter is `t`, once: a token of this service' }]);
  }
  return token;
}
