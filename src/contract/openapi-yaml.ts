/** The document as it is committed: YAML, with placeholders where a running demo puts credentials. */
import { openApiDocument } from './openapi.ts';
import { toYaml } from './yaml-text.ts';

export function openApiYaml(): string {
  return toYaml(JSON.parse(JSON.stringify(openApiDocument(null))));
}
