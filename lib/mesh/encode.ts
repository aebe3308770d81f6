import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { backwards as to } from "./backwards.ts";

type Message = Record<string, unknown>;
/** Writes a value before what is written already; false where that is left to the library. */
type Write<T = unknown> = (value: T) => boolean;

/**
 * Writes a message, or what one is made from, as `toBinary` of `create` does, byte for byte. That one copies it field by field first, and
 * asks of each field what it is. Messages are written from their end, so the length of each is known when its turn comes.
 * What is rare is left to the library: kinds of fields that no hot message has, unknown fields, and values that no field may have.
 */
export function encode<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Buffer {
  to.begin();
  if (writerOf(desc)(init as Message)) return to.taken();
  const { buffer, byteOffset, byteLength } = toBinary(desc, create(desc, init));
  return Buffer.from(buffer, byteOffset, byteLength);
}

const ready = Symbol("written");
type Ready = { readonly [ready]?: Buffer };

/** A message that is sent often, written once: wherever it is part of another one its bytes are taken. It must not change any more. */
export function written<D extends DescMessage>(desc: D, message: MessageShape<D>): MessageShape<D> {
  Object.defineProperty(message, ready, { value: encode(desc, message as MessageInitShape<D>) });
  return message;
}

const writers = new WeakMap<DescMessage, Write<Message>>();
const leave: Write<Message> = () => false;

function writerOf(desc: DescMessage): Write<Message> {
  const known = writers.get(desc);
  if (known !== undefined) return known;
  const writer = isPlain(desc) ? plainWriter(desc) : leave;
  writers.set(desc, writer);
  return writer;
}

/** Of other messages, some values are no own properties. */
const isPlain = (desc: DescMessage): boolean => Object.getPrototypeOf(create(desc)) === Object.prototype;

function plainWriter(desc: DescMessage): Write<Message> {
  const writes: Write<Message>[] = [];
  for (const field of [...desc.fields].sort((a, b) => b.number - a.number)) {
    const write = fieldOf(field);
    if (write === undefined) return leave;
    writes.push(write);
  }
  return (message) => {
    if (message.$unknown !== undefined) return false;
    for (const write of writes) if (!write(message)) return false;
    return true;
  };
}

/** Writes a field of a message, with its tag, where it is set. */
function fieldOf(field: DescField): Write<Message> | undefined {
  const { localName: name, oneof } = field;
  const value = writtenAs(field);
  if (value === undefined) return undefined;
  const { write, isDefault } = value;
  const tag = field.number * 8 + value.wire;
  const tagged: Write = (of) => {
    if (!write(of)) return false;
    to.varint(tag);
    return true;
  };
  if (oneof !== undefined) {
    return (message) => {
      const chosen = message[oneof.localName] as { case?: string; value?: unknown } | undefined;
      return chosen?.case !== name || tagged(chosen.value);
    };
  }
  if (field.fieldKind === "list") {
    return (message) => {
      const list = (message[name] ?? none) as readonly unknown[];
      for (let nth = list.length - 1; nth >= 0; nth--) if (!tagged(list[nth])) return false;
      return true;
    };
  }
  const mayBeLeftOut = field.presence === FeatureSet_FieldPresence.EXPLICIT ? () => false : isDefault;
  return (message) => {
    const of = message[name];
    return of === undefined || mayBeLeftOut(of) || tagged(of);
  };
}

const none: readonly unknown[] = [];

type Value = { readonly wire: 0 | 1 | 2; readonly write: Write; readonly isDefault: (value: unknown) => boolean };

/** How a value of a field, or each of a list, is written. */
function writtenAs(field: DescField): Value | undefined {
  if (field.fieldKind === "scalar") return field.longAsString ? undefined : scalarOf(field.scalar);
  if (field.fieldKind === "enum") return field.enum.open ? natural : undefined;
  if (field.fieldKind === "map") return undefined;
  if (field.message !== undefined) return field.delimitedEncoding ? undefined : messageOf(field.message);
  // Of lists those of texts alone: numbers in lists are written without their tags.
  return field.fieldKind === "list" && field.scalar === ScalarType.STRING ? text : undefined;
}

function scalarOf(scalar: ScalarType): Value | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return flag;
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return natural;
    case ScalarType.UINT64:
      return long;
    case ScalarType.FIXED64:
      return fixed;
    default:
      return undefined;
  }
}

/** Of Google's own messages these are objects of their fields wherever they stand. */
const plainOnes = /^google\.protobuf\.(Timestamp|Duration|Any|Empty)$/;

function messageOf(desc: DescMessage): Value | undefined {
  if (desc.typeName.startsWith("google.protobuf.") && !plainOnes.test(desc.typeName)) return undefined;
  // Found at the first write: a message may be in itself.
  let own: Write<Message> | undefined;
  const write = (message: Message): boolean => {
    if (typeof message !== "object" || message === null) return false;
    const known = (message as Ready)[ready];
    if (known !== undefined) return bytes.write(known);
    own ??= writerOf(desc);
    const before = to.written();
    return own(message) && varint(to.written() - before);
  };
  return { wire: 2, write: write as Write, isDefault: () => false };
}

/** What is as long in two's complement as it looks. */
const naturalMax = 0x7fff_ffff;
const fixedMax = 2n ** 64n - 1n;
const varint = (value: number): boolean => {
  to.varint(value);
  return true;
};

const natural: Value = {
  wire: 0,
  isDefault: (value) => value === 0,
  write: (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= naturalMax && varint(value),
};
const long: Value = {
  wire: 0,
  isDefault: (value) => value === 0n,
  write(value) {
    if (typeof value !== "bigint") return false;
    // Comparing two of them takes longer than to make a number of one.
    const number = Number(value);
    return number >= 0 && number <= Number.MAX_SAFE_INTEGER && varint(number);
  },
};
const fixed: Value = {
  wire: 1,
  isDefault: (value) => value === 0n,
  write(value) {
    if (typeof value !== "bigint" || value < 0n || value > fixedMax) return false;
    to.fixed64(value);
    return true;
  },
};
const flag: Value = {
  wire: 0,
  isDefault: (value) => value === false,
  write: (value) => typeof value === "boolean" && varint(value ? 1 : 0),
};
const text: Value = {
  wire: 2,
  isDefault: (value) => value === "",
  write: (value) => typeof value === "string" && varint(to.text(value)),
};
const bytes: Value = {
  wire: 2,
  isDefault: (value) => value instanceof Uint8Array && value.length === 0,
  write(value) {
    if (!(value instanceof Uint8Array)) return false;
    to.bytes(value);
    return varint(value.length);
  },
};
