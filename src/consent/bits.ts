/**
 * Reads numbers out of base64url text, bit by bit, in a browser as well as in Node. It never throws: past the end it reads zeros and
 * remembers that it did. Padding, blanks and every other foreign character make the whole text unreadable.
 */

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const bitsPerCharacter = 6;
const foreign = 64;

/** By character code: the six bits that a character stands for. */
const sextets: Uint8Array = sextetTable();

export class BitReader {
  /** The next bit to be read. */
  position = 0;
  /** How often something was read: what the work of a decoder is counted in. */
  reads = 0;
  /** Whether more was asked for than there is. Stays true. */
  isShort = false;
  readonly length: number;
  readonly #sextets: Uint8Array;

  private constructor(read: Uint8Array) {
    this.#sextets = read;
    this.length = read.length * bitsPerCharacter;
  }

  /** Null: some character is not of the alphabet. */
  static of(text: string): BitReader | null {
    const read = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index += 1) {
      const sextet = sextets[text.charCodeAt(index)] ?? foreign;
      if (sextet === foreign) return null;
      read[index] = sextet;
    }
    return new BitReader(read);
  }

  get remaining(): number {
    return this.length - this.position;
  }

  /** The next bits, at most 36 of them, as a number, the highest first. */
  read(bits: number): number {
    this.reads += 1;
    if (bits > this.remaining) {
      this.isShort = true;
      this.position = this.length;
      return 0;
    }
    let value = 0;
    let left = bits;
    while (left > 0) {
      const sextet = this.#sextets[Math.floor(this.position / bitsPerCharacter)] ?? 0;
      const unread = bitsPerCharacter - (this.position % bitsPerCharacter);
      const taken = Math.min(unread, left);
      // Not by shifts: 36 bits are more than those keep.
      value = value * 2 ** taken + ((sextet >> (unread - taken)) & ((1 << taken) - 1));
      this.position += taken;
      left -= taken;
    }
    return value;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }

  skip(bits: number): void {
    this.reads += 1;
    if (bits > this.remaining) this.isShort = true;
    this.position = Math.min(this.length, this.position + bits);
  }

  /** One bit somewhere, without moving. False past the end. */
  bitAt(position: number): boolean {
    this.reads += 1;
    const sextet = this.#sextets[Math.floor(position / bitsPerCharacter)] ?? 0;
    return ((sextet >> (bitsPerCharacter - 1 - (position % bitsPerCharacter))) & 1) === 1;
  }

  /** Whether nothing but zeros is left. */
  restIsZero(): boolean {
    while (this.remaining > 0) if (this.read(Math.min(this.remaining, 30)) !== 0) return false;
    return true;
  }
}

function sextetTable(): Uint8Array {
  const table = new Uint8Array(128).fill(foreign);
  for (let index = 0; index < alphabet.length; index += 1) table[alphabet.charCodeAt(index)] = index;
  return table;
}
