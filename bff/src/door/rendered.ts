import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";

const mark = Symbol("rendered");

/** An answer that is put together from bytes, each form when a door asks for it. What is shown by many is rendered once. */
export type Rendered = {
  readonly [mark]: true;
  /** The body that the JSON door answers: UTF-8, with every field that has implicit presence. */
  readonly json: () => Buffer;
  /** The answer's message in protobuf's binary format. */
  readonly binary: () => Buffer;
};

export const rendered = (forms: Pick<Rendered, "json" | "binary">): Rendered => ({ [mark]: true, ...forms });

export const isRendered = (answer: unknown): answer is Rendered =>
  typeof answer === "object" && answer !== null && mark in answer;

/**
 * A rendered answer for whoever takes messages only. Who writes protobuf gets a message without a field that carries the bytes
 * as what it does not know, which is written as it is (https://protobuf.dev/programming-guides/proto3/#unknowns); who writes
 * JSON gets the fields.
 */
export function messageOf<D extends DescMessage>(desc: D, { binary }: Rendered, isJson: boolean): MessageShape<D> {
  const bytes = binary();
  if (isJson || bytes.length === 0) return fromBinary(desc, bytes);
  const [tag = 0] = bytes;
  const message = fromBinary(desc, nothing);
  // Fields of answers have numbers below 16, so a tag is one byte.
  message.$unknown = [{ no: tag >> 3, wireType: tag & 7, data: bytes.subarray(1) }];
  return message;
}

const nothing = new Uint8Array();
