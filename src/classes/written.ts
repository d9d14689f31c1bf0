/** One parameter of a canonical query, in the one spelling that `GET /v1/decide` takes. */
import type { AttributeType } from './table.ts';

export function writtenValue(name: string, value: unknown, type: AttributeType): string {
  return `${name}=${type === 'strings' ? writtenList(value as readonly string[]) : encodeURIComponent(scalarText(value, type))}`;
}

export function writtenList(items: readonly string[]): string {
  return [...new Set(items)].sort().map(encodeURIComponent).join(',');
}

function scalarText(value: unknown, type: AttributeType): string {
  return type === 'timestamp' ? new Date(value as number).toISOString().replace('.000Z', 'Z') : String(value);
}
