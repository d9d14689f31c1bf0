/**
 * What broken integrations send as somebody's id where they know nobody. Were it taken for a person or a device, everybody whom
 * it is sent for would become one and the same.
 */
const words = /^(?:[0-]*|-1|null|nil|none|nan|undefined|unknown|anonymous|not set|\(not set\)|\[object object\]|true|false)$/i;

export function meansNobody(id: string): boolean {
  return words.test(id.trim());
}
