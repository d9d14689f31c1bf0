/** The rights that the decision page asks an operator for: what is documented is what is tried. */
import { readFileSync } from 'node:fs';

const page = new URL('../../docs/decisions/0005-redis-shapes.md', import.meta.url);

/** The words after `ACL SETUSER`. */
export function documentedRights(): readonly string[] {
  const line = /^ {4}ACL SETUSER (stepwell .+)$/m.exec(readFileSync(page, 'utf8'))?.[1];
  if (line === undefined) throw new Error('the decision page names no rights');
  return line.split(' ');
}

/** The same address as the user whom the rights are for. */
export function asDocumentedUser(url: string): string {
  return url.replace('://', '://stepwell:change-me@');
}
