/** A digest of texts in integers alone, so that it cannot itself be what engines disagree about: two FNV-1a hashes, of different starts. */

export interface Digest {
  add(text: string): void;
  /** 16 digits of hexadecimal. */
  read(): string;
}

export function createDigest(): Digest {
  let low = 0x811c9dc5;
  let high = 0x050c5d1f;
  return {
    add(text) {
      for (let index = 0; index < text.length; index++) {
        const unit = text.charCodeAt(index);
        low = Math.imul(low ^ (unit & 0xff), 0x01000193);
        low = Math.imul(low ^ (unit >>> 8), 0x01000193);
        high = Math.imul(high ^ unit, 0x01000193) ^ (high >>> 15);
      }
    },
    read: () => hexadecimal(high) + hexadecimal(low),
  };
}

function hexadecimal(hash: number): string {
  return (hash >>> 0).toString(16).padStart(8, '0');
}
