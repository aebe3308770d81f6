import type { DescField } from "@bufbuild/protobuf";

/** One message, or JSON text, written front to back into one Buffer that is large enough from the start. */
export type Bytes = {
  /** Text of ASCII characters only. */
  ascii(text: string): void;
  raw(bytes: Uint8Array): void;
  /** An unsigned number below 2^53, as protobuf writes it. */
  varint(value: number): void;
  done(): Buffer;
};

/** A writer of `bytesMax` bytes at most; a write beyond that throws. */
export function bytesUpTo(bytesMax: number): Bytes {
  const bytes = Buffer.allocUnsafe(bytesMax);
  let at = 0;
  return {
    ascii(text) {
      if (at + text.length > bytesMax) throw new RangeError("an answer is larger than it was measured to be");
      at += bytes.write(text, at, "latin1");
    },
    raw(part) {
      bytes.set(part, at);
      at += part.length;
    },
    varint(value) {
      let rest = value;
      for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
      bytes[at++] = rest;
    },
    done: () => bytes.subarray(0, at),
  };
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

/** The byte before a field's value: https://protobuf.dev/programming-guides/encoding/#structure. */
export function tagOf({ number }: Pick<DescField, "number">, wireType: 0 | 2): number {
  if (number > 15) throw new RangeError("a tag of more than one byte");
  return (number << 3) | wireType;
}
