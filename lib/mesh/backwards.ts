const firstBytes = 16_384;
/** A buffer that grew beyond this is not kept for the next message. */
const keptBytesMax = 1_048_576;
/** Longer texts are written faster by the platform. */
const shortMax = 32;
/** Of a whole number of 53 bits. */
const varintMax = 8;

let kept = Buffer.allocUnsafeSlow(firstBytes);
let buffer = kept;
/** Where what is written begins. */
let at = buffer.length;

function room(bytes: number): void {
  if (at >= bytes) return;
  const grown = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, buffer.length + bytes));
  const from = grown.length - (buffer.length - at);
  buffer.copy(grown, from, at);
  [buffer, at] = [grown, from];
  if (grown.length <= keptBytesMax) kept = grown;
}

/** One buffer for whoever writes one message after the other, each from its end to its beginning. */
export const backwards = {
  begin(): void {
    buffer = kept;
    at = buffer.length;
  },

  /** Bytes so far. */
  written: (): number => buffer.length - at,

  /** A whole number of at most 53 bits. */
  varint(value: number): void {
    room(varintMax);
    if (value < 0x80) {
      buffer[--at] = value;
      return;
    }
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
    at -= size;
    let rest = value;
    for (let nth = 0; nth < size - 1; nth++) {
      buffer[at + nth] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    buffer[at + size - 1] = rest;
  },

  fixed64(value: bigint): void {
    room(8);
    at -= 8;
    buffer.writeBigUInt64LE(value, at);
  },

  /** As UTF-8; answers how many bytes it takes. */
  text(value: string): number {
    const { length } = value;
    if (length <= shortMax && asciiAt(value, length)) {
      at -= length;
      return length;
    }
    const bytes = Buffer.byteLength(value);
    room(bytes);
    at -= bytes;
    buffer.write(value, at, bytes, "utf8");
    return bytes;
  },

  bytes(value: Uint8Array): void {
    room(value.length);
    at -= value.length;
    buffer.set(value, at);
  },

  /** What is written, as a buffer of its own. */
  taken: (): Buffer => Buffer.from(buffer.subarray(at)),
};

/** Puts a text of ASCII before what is written; false for any other. */
function asciiAt(value: string, length: number): boolean {
  room(length);
  const from = at - length;
  for (let nth = 0; nth < length; nth++) {
    const code = value.charCodeAt(nth);
    if (code >= 0x80) return false;
    buffer[from + nth] = code;
  }
  return true;
}
