/**
 * What is no id of one person or one device: what broken integrations send where they know nobody, what too many share, and what says
 * who somebody is to anybody who reads it.
 */
const words = /^(?:[0-]*|-1|null|nil|none|nan|undefined|unknown|anonymous|not set|\(not set\)|\[object object\]|true|false)$/i;

/** Were it taken for a person or a device, everybody whom it is sent for would become one and the same. */
function meansNobody(id: string): boolean {
  return words.test(id.trim());
}

export type IdFault = 'nobody' | 'contact' | 'short' | 'monotonous';

const lengthMin = 2;
/** A shorter number is somebody's counter, not an id of a device. */
const digitsMin = 6;
/** From this length on an id that is random has some variety. */
const variedFrom = 6;
const distinctMin = 3;

/** Why it can name no person; null where it can. How long one is, is its issuer's business. */
export function faultOfSubject(id: string): 'nobody' | 'contact' | null {
  if (meansNobody(id)) return 'nobody';
  return isContact(id.trim()) ? 'contact' : null;
}

/** Why it can name no device and no other identity; null where it can. */
export function faultOfIdentifier(id: string): IdFault | null {
  const fault = faultOfSubject(id);
  if (fault !== null) return fault;
  const text = id.trim();
  if (text.length < (/^\d+$/.test(text) ? digitsMin : lengthMin)) return 'short';
  return text.length >= variedFrom && new Set(text).size < distinctMin ? 'monotonous' : null;
}

const email = /^(?:mailto:)?[^\s@]+@[^\s@]+\.[^\s@.]{2,}$/i;
/** Digits after two zeros may be a customer's number with zeros in front; a telephone number is written with something between them. */
const phonePrefix = /^(?:tel:)?(?:\+|00(?=.*[\s().-]))/i;

/** An address of e-mail or a telephone number: it belongs to somebody wherever it turns up. */
function isContact(text: string): boolean {
  if (email.test(text)) return true;
  const prefix = phonePrefix.exec(text)?.[0];
  if (prefix === undefined) return false;
  return /^\d{8,15}$/.test(text.slice(prefix.length).replace(/[\s().-]/g, ''));
}
