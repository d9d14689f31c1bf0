/** What the page knows of a visitor when a request comes in, as the body of `POST /v1/decide`. Three cookies and two headers, all optional. */
import type { IncomingHttpHeaders } from 'node:http';

export interface Question {
  readonly page: string;
  readonly deadlineMs: number;
  readonly identity: Readonly<Record<string, string>>;
  readonly consent: { readonly useCases: Readonly<Record<string, string>> };
  readonly context: Readonly<Record<string, string>>;
}

export function questionOf(headers: IncomingHttpHeaders, deadlineMs: number): Question {
  const cookies = cookiesOf(headers.cookie ?? '');
  return {
    page: 'home',
    deadlineMs,
    identity: present({ token: cookies.get('shop_token'), sessionId: cookies.get('shop_visit') }),
    consent: { useCases: useCasesOf(cookies.get('shop_consent')) },
    context: present({ country: countryOf(headers['x-country']), device: deviceOf(headers['sec-ch-ua-mobile']) }),
  };
}

/** The visitor's own words to every site, which the decision must hear. */
export function gpcOf(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return headers['sec-gpc'] === '1' ? { 'sec-gpc': '1' } : {};
}

function cookiesOf(header: string): ReadonlyMap<string, string> {
  const pairs = header.split(';').map((pair) => pair.trim().split('=', 2));
  return new Map(pairs.map(([name = '', value = '']) => [name, value]));
}

/** `content_personalization.offers`: what the visitor agreed to. Whatever is not named was not granted. */
function useCasesOf(cookie: string | undefined): Readonly<Record<string, string>> {
  const granted = new Set((cookie ?? '').split('.'));
  return Object.fromEntries(useCases.filter((useCase) => granted.has(useCase)).map((useCase) => [useCase, 'granted']));
}

const useCases = ['content_personalization', 'offers', 'profile_activation_content', 'profile_activation_offer'];

/** Set by whatever stands in front and knows; a header that a visitor could send must be overwritten there. */
function countryOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[A-Z]{2}$/.test(header) ? header : undefined;
}

function deviceOf(hint: string | string[] | undefined): string | undefined {
  if (hint === '?1') return 'mobile';
  return hint === '?0' ? 'desktop' : undefined;
}

function present(entries: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(entries).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}
