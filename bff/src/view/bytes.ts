import type { DescField } from "@bufbuild/protobuf";

/** One message, or JSON text, written front to back into one Buffer that is large enough from the start. */
export type Bytes = {
  /** Text of ASCII characters only. */
  ascii(text: string): void;
  raw(bytes: Uint8Array): void;
  /** An unsigned number below 2^53, as protobuf writes it. */
  varint(value: number): void;
  /** How much is written. */
  length(): number;
  /** A copy of what was written since it was so much. */
  since(length: number): Buffer;
  done(): Buffer;
};

/** Pages that are cut from one piece of memory: one of its own for each would cost more than writing it. */
const slabBytes = 512 * 1024;
let slab = Buffer.alloc(0);
let free = 0;

/** A writer of `bytesMax` bytes at most; a write beyond that throws. Of two at once, the first must be done first. */
export function bytesUpTo(bytesMax: number): Bytes {
  if (free + bytesMax > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytesMax));
    free = 0;
  }
  const [bytes, start, end] = [slab, free, free + bytesMax];
  let at = start;
  return {
    ascii(text) {
      mustFit(at + text.length, end);
      at += bytes.write(text, at, "latin1");
    },
    raw(part) {
      mustFit(at + part.length, end);
      bytes.set(part, at);
      at += part.length;
    },
    varint(value) {
      let rest = value;
      for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
      bytes[at++] = rest;
    },
    length: () => at - start,
    since(length) {
      const copy = Buffer.allocUnsafeSlow(at - start - length);
      copy.set(bytes.subarray(start + length, at));
      return copy;
    },
    done() {
      free = at;
      return bytes.subarray(start, at);
    },
  };
}

function mustFit(at: number, end: number): void {
  if (at > end) throw new RangeError("an answer is larger than it was measured to be");
}

export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** A text, as bytes of their own: what is kept long must not keep Node's shared pool alive around it. */
export function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** What stands before a field's value, a varint: https://protobuf.dev/programming-guides/encoding/#structure. */
export const tagOf = ({ number }: Pick<DescField, "number">, wireType: 0 | 2): number => (number << 3) | wireType;

/** A message as a field of another one, in bytes of its own. */
export function messageField(field: Pick<DescField, "number">, message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([...varint(tagOf(field, 2)), ...varint(message.length)]), message]);
}

function varint(value: number): number[] {
  const bytes = varintBytes(value);
  return Array.from({ length: bytes }, (_, nth) => {
    const part = Math.floor(value / 0x80 ** nth) % 0x80;
    return nth < bytes - 1 ? part | 0x80 : part;
  });
}
