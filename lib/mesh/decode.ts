import { isUtf8 } from "node:buffer";
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";

type Message = Record<string, unknown>;
/** Reads one field of the wire type `wire` at `at.pos` into a message; false where it is not what is read here. */
type Read = (message: Message, bytes: Buffer, at: Cursor) => boolean;
type Field = { readonly wire: number; readonly read: Read };
type Cursor = { pos: number };
/** Reads a message up to `end`; undefined where that is left to `fromBinary`. */
type Reader = (bytes: Buffer, at: Cursor, end: number) => Message | undefined;

/**
 * Reads a message as `fromBinary` does, and an equal one. That one grows each message field by field, which takes five times
 * the memory: 51 kB for a page of 20 thin items beside 10, and 39 µs beside 14. Here each begins as the copy of an empty one. What is rare
 * is left to `fromBinary`: kinds of fields that no hot answer has, fields unknown here, one that comes twice, and all that is malformed.
 */
export function decode<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = readerOf(desc)(buffer, { pos: 0 }, buffer.length);
  return found === undefined ? fromBinary(desc, bytes) : (found as MessageShape<D>);
}

/** Those of which many answers hold the same, by their bytes. */
const shared = new Map<DescMessage, { readonly max: number; readonly known: Map<string, Message> }>();

/**
 * Has messages of a type that stand in others be read once: who reads the same bytes gets the same message, frozen. So many are
 * kept; beyond them all begin anew. Said before the first is read.
 */
export function share(desc: DescMessage, max: number): void {
  if (readers.has(desc)) throw new Error(`${desc.typeName} was read already`);
  shared.set(desc, { max, known: new Map() });
}

const readers = new WeakMap<DescMessage, Reader>();
const leave: Reader = () => undefined;

function readerOf(desc: DescMessage): Reader {
  const known = readers.get(desc);
  if (known !== undefined) return known;
  // One that is in itself finds this, and is left, however deep it may be.
  readers.set(desc, leave);
  const reader = isPlain(desc) ? sharing(desc, plainReader(desc)) : leave;
  readers.set(desc, reader);
  return reader;
}

function sharing(desc: DescMessage, read: Reader): Reader {
  const kept = shared.get(desc);
  if (kept === undefined) return read;
  const { max, known } = kept;
  return (bytes, at, end) => {
    const name = bytes.toString("latin1", at.pos, end);
    const before = known.get(name);
    if (before !== undefined) {
      at.pos = end;
      return before;
    }
    const message = read(bytes, at, end);
    if (message === undefined) return undefined;
    if (known.size >= max) known.clear();
    known.set(name, Object.freeze(message));
    return message;
  };
}

const isPlain = (desc: DescMessage): boolean =>
  desc.oneofs.length === 0 &&
  desc.fields.every(({ fieldKind }) => fieldKind !== "map") &&
  Object.getPrototypeOf(create(desc)) === Object.prototype;

function plainReader(desc: DescMessage): Reader {
  const empty: Message = { ...create(desc) };
  const lists = desc.fields.filter(({ fieldKind }) => fieldKind === "list").map(({ localName }) => localName);
  const fields: (Field | undefined)[] = [];
  for (const field of desc.fields) fields[field.number] = fieldOf(field);
  return (bytes, at, end) => {
    const message = { ...empty };
    for (const name of lists) message[name] = [];
    while (at.pos < end) {
      const tag = varint(bytes, at);
      const field = fields[tag >>> 3];
      if (field === undefined || field.wire !== (tag & 7) || !field.read(message, bytes, at)) return undefined;
    }
    return at.pos === end ? message : undefined;
  };
}

function fieldOf(field: DescField): Field | undefined {
  const { localName: name } = field;
  if (field.fieldKind === "scalar" && !field.longAsString) return scalarOf(field.scalar, setter(name));
  if (field.fieldKind === "enum" && field.enum.open) return scalarOf(ScalarType.INT32, setter(name));
  if (field.fieldKind === "message" && !field.delimitedEncoding)
    return messageOf(field.message, (message, value) => {
      if (message[name] !== undefined) return false; // It comes twice: they are to be merged.
      message[name] = value;
      return true;
    });
  if (field.fieldKind === "list" && field.listKind === "message" && !field.delimitedEncoding)
    return messageOf(field.message, (message, value) => (message[name] as Message[]).push(value) > 0);
  if (field.fieldKind === "list" && field.listKind === "scalar" && field.scalar === ScalarType.STRING)
    return scalarOf(field.scalar, (message, value) => void (message[name] as unknown[]).push(value));
  return undefined;
}

const setter =
  (name: string) =>
  (message: Message, value: unknown): void => {
    message[name] = value;
  };

function scalarOf(scalar: ScalarType, set: (message: Message, value: unknown) => void): Field | undefined {
  if (scalar === ScalarType.STRING) return { wire: 2, read: text(set) };
  if (scalar === ScalarType.BOOL) return { wire: 0, read: number((message, value) => set(message, value !== 0)) };
  if (scalar === ScalarType.INT32) return { wire: 0, read: number((message, value) => set(message, value | 0)) };
  if (scalar === ScalarType.UINT32) return { wire: 0, read: number((message, value) => set(message, value >>> 0)) };
  if (scalar === ScalarType.UINT64) return { wire: 0, read: number((message, value) => set(message, BigInt(value))) };
  if (scalar === ScalarType.FIXED64)
    return {
      wire: 1,
      read(message, bytes, at) {
        if (at.pos + 8 > bytes.length) return false;
        set(message, bytes.readBigUInt64LE(at.pos));
        at.pos += 8;
        return true;
      },
    };
  return undefined;
}

const number =
  (set: (message: Message, value: number) => void): Read =>
  (message, bytes, at) => {
    const value = varint(bytes, at);
    if (value < 0) return false;
    set(message, value);
    return true;
  };

const text =
  (set: (message: Message, value: string) => void): Read =>
  (message, bytes, at) => {
    const end = lengthAt(bytes, at);
    if (end < 0) return false;
    let pos = at.pos;
    while (pos < end && (bytes[pos] as number) < 0x80) pos++;
    if (pos < end && !isUtf8(bytes.subarray(pos, end))) return false;
    set(message, bytes.toString(pos < end ? "utf8" : "latin1", at.pos, end));
    at.pos = end;
    return true;
  };

function messageOf(desc: DescMessage, set: (message: Message, value: Message) => boolean): Field {
  const read = readerOf(desc);
  return {
    wire: 2,
    read(message, bytes, at) {
      const end = lengthAt(bytes, at);
      if (end < 0) return false;
      const value = read(bytes, at, end);
      return value !== undefined && set(message, value);
    },
  };
}

/** Where something of a length that stands here ends; -1 where that is beyond the bytes. */
function lengthAt(bytes: Buffer, at: Cursor): number {
  const length = varint(bytes, at);
  const end = at.pos + length;
  return length < 0 || end > bytes.length ? -1 : end;
}

/** A number of at most 49 bits, which most are; -1 for others. */
function varint(bytes: Buffer, at: Cursor): number {
  let value = 0;
  let by = 1;
  for (let nth = 0; nth < 7; nth++) {
    const byte = bytes[at.pos++];
    if (byte === undefined) return -1;
    value += (byte & 0x7f) * by;
    if (byte < 0x80) return value;
    by *= 128;
  }
  return -1;
}
