/** Reads YAML back with the library, to judge our own writer. */
import { parse } from 'yaml';

export function readDocumentAsJson(text: string): unknown {
  return parse(text, { version: '1.2', maxAliasCount: 0 });
}
