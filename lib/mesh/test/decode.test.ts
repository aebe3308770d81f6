import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, fromBinary, ScalarType, toBinary } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { file_skein_comment_v1_comment } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedItemSchema, file_skein_feed_v1_feed, ListHomeFeedResponseSchema } from "#gen/skein/feed/v1/feed_pb.ts";
import { file_skein_graph_v1_graph } from "#gen/skein/graph/v1/graph_pb.ts";
import { file_skein_mesh_v1_batch } from "#gen/skein/mesh/v1/batch_pb.ts";
import { file_skein_post_v1_draft } from "#gen/skein/post/v1/draft_pb.ts";
import { file_skein_post_v1_post } from "#gen/skein/post/v1/post_pb.ts";
import { file_skein_user_v1_user } from "#gen/skein/user/v1/user_pb.ts";
import { decode } from "../decode.ts";

const files = [
  file_skein_comment_v1_comment,
  file_skein_feed_v1_feed,
  file_skein_graph_v1_graph,
  file_skein_mesh_v1_batch,
  file_skein_post_v1_draft,
  file_skein_post_v1_post,
  file_skein_user_v1_user,
];
const descs = [...files.flatMap(({ messages }) => messages), TimestampSchema, StructSchema];
const deepest = 3;

/** Mostly such as are read here; long ones are left to the library, with their whole message. */
const u64 = fc.oneof(
  { weight: 50, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 49n - 1n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 2n ** 49n, max: 2n ** 57n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) },
);
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const i32 = fc.oneof({ weight: 50, arbitrary: fc.nat() }, { weight: 1, arbitrary: fc.integer() });
const texts = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.constant("\ufeffx"));

function scalar(kind: ScalarType): fc.Arbitrary<unknown> {
  if (kind === ScalarType.STRING) return texts;
  if (kind === ScalarType.BYTES) return fc.uint8Array({ maxLength: 20 });
  if (kind === ScalarType.BOOL) return fc.boolean();
  if (kind === ScalarType.UINT32 || kind === ScalarType.FIXED32) return fc.nat();
  if (kind === ScalarType.UINT64 || kind === ScalarType.FIXED64) return u64;
  if (kind === ScalarType.INT64 || kind === ScalarType.SINT64 || kind === ScalarType.SFIXED64) return i64;
  if (kind === ScalarType.DOUBLE || kind === ScalarType.FLOAT) return fc.constantFrom(0, 1.5, -2);
  return i32;
}

function one(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return message(field.message, depth + 1);
  return field.enum === undefined ? scalar(field.scalar as ScalarType) : fc.nat(9);
}

/** Any message of a type, with any of its fields. */
function message(desc: DescMessage, depth = 0): fc.Arbitrary<object> {
  const own = desc.fields.filter(({ oneof, fieldKind, message: of }) => {
    if (oneof !== undefined || fieldKind === "map") return false;
    return of === undefined || depth < deepest;
  });
  const fields = own.map((field) => {
    const value = one(field, depth);
    return [field.localName, field.fieldKind === "list" ? fc.array(value, { maxLength: 3 }) : value] as const;
  });
  return fc
    .record(Object.fromEntries(fields), { requiredKeys: [], noNullPrototype: true })
    .map((init) => create(desc, init));
}

/** A message's bytes with something wrong in them. */
function broken(desc: DescMessage): fc.Arbitrary<Uint8Array> {
  const sent = message(desc).map((init) => toBinary(desc, init as never));
  const wrong = fc.constantFrom("cut", "changed", "changed", "changed", "twice", "unknown", "chance");
  return fc
    .tuple(sent, sent, fc.nat(), fc.nat(255), wrong)
    .chain(([bytes, other, at, to, how]): fc.Arbitrary<Uint8Array> => {
      if (how === "chance") return fc.uint8Array({ maxLength: 60 });
      if (how === "cut") return fc.constant(bytes.subarray(0, at % (bytes.length + 1)));
      if (how === "twice") return fc.constant(Buffer.concat([bytes, other]));
      if (how === "unknown") return fc.constant(Buffer.concat([bytes, Buffer.from([0xf8, 0x3f, 0x07])]));
      const changed = Uint8Array.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = to;
      return fc.constant(changed);
    });
}

/** What a reader makes of bytes, or that it makes nothing of them. */
function outcome(read: () => object): unknown {
  try {
    return read();
  } catch {
    return "malformed";
  }
}

test("every message is read as by the library", () => {
  assert.ok(descs.length > 100, String(descs.length));
  for (const desc of descs) {
    const held = (sent: object) => {
      const bytes = toBinary(desc, sent as never);
      assert.deepEqual(decode(desc, bytes), fromBinary(desc, bytes));
    };
    fc.assert(fc.property(message(desc), held), { numRuns: 20 });
  }
});

test("bytes of chance, bytes cut short, fields that come twice and fields unknown here are read as by the library", () => {
  for (const desc of [FeedItemSchema, ListHomeFeedResponseSchema] as DescMessage[]) {
    const held = (bytes: Uint8Array) =>
      assert.deepEqual(
        outcome(() => decode(desc, bytes)),
        outcome(() => fromBinary(desc, bytes)),
      );
    fc.assert(fc.property(broken(desc), held), { numRuns: 3_000 });
  }
});

test("a number that is too long for its field is cut as by the library", () => {
  const reason = Buffer.from([0x30, 0x81, 0x80, 0x80, 0x80, 0x10]);
  assert.deepEqual(decode(FeedItemSchema, reason), fromBinary(FeedItemSchema, reason));
});

test("messages that are read hold nothing together", () => {
  const [first, second] = [decode(FeedItemSchema, new Uint8Array()), decode(FeedItemSchema, new Uint8Array())];
  first.otherReactions.push({ $typeName: "skein.like.v1.ReactionCount", reaction: 1, count: 1n });
  assert.equal(second.otherReactions.length, 0);
});
