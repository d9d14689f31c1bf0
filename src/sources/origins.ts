/** Origins as an operator lists them: scheme, host and port, and nothing else. */

/** The origin in the one form in which it is compared; null where the text is no http or https origin. */
export function originOf(text: string): string | null {
  const url = URL.parse(text.trim());
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return null;
  const isBare = url.username === '' && url.password === '' && url.pathname === '/' && url.search === '' && url.hash === '';
  return isBare && !/[?#@]/.test(text) ? url.origin : null;
}
