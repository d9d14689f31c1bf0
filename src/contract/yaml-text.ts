/** Writes plain JSON data as YAML: block style, and every text that could be read as anything else in quotes. It reads nothing. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export function toYaml(value: Json): string {
  return `${blockOf(value, '').trimStart()}\n`;
}

function blockOf(value: Json, indent: string): string {
  if (isList(value)) return value.length === 0 ? ' []' : value.map((item) => `\n${indent}-${itemOf(item, `${indent}  `)}`).join('');
  if (typeof value !== 'object' || value === null) return ` ${scalarOf(value)}`;
  const entries = Object.entries(value);
  if (entries.length === 0) return ' {}';
  return entries.map(([key, member]) => `\n${indent}${keyOf(key)}:${blockOf(member, `${indent}  `)}`).join('');
}

/** The first member of an object stands on the line of its dash. */
function itemOf(item: Json, indent: string): string {
  return blockOf(item, indent).replace(`\n${indent}`, ' ');
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function keyOf(key: string): string {
  return /^(?:[A-Za-z_/$][A-Za-z0-9_/{}$.+-]*|)$/.test(key) && key !== '' && !isWordOfYaml(key) ? key : JSON.stringify(key);
}

function scalarOf(value: null | boolean | number | string): string {
  if (typeof value !== 'string') return String(value);
  return /^[A-Za-z][A-Za-z0-9 _./-]*[A-Za-z0-9]$/.test(value) && !isWordOfYaml(value) ? value : JSON.stringify(value);
}

function isWordOfYaml(text: string): boolean {
  return /^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
}
