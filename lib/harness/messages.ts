import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { StructSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { file_skein_comment_v1_comment } from "#gen/skein/comment/v1/comment_pb.ts";
import { file_skein_feed_v1_feed } from "#gen/skein/feed/v1/feed_pb.ts";
import { file_skein_graph_v1_graph } from "#gen/skein/graph/v1/graph_pb.ts";
import { file_skein_mesh_v1_batch } from "#gen/skein/mesh/v1/batch_pb.ts";
import { file_skein_post_v1_draft } from "#gen/skein/post/v1/draft_pb.ts";
import { file_skein_post_v1_post } from "#gen/skein/post/v1/post_pb.ts";
import { file_skein_user_v1_user } from "#gen/skein/user/v1/user_pb.ts";

const files = [
  file_skein_comment_v1_comment,
  file_skein_feed_v1_feed,
  file_skein_graph_v1_graph,
  file_skein_mesh_v1_batch,
  file_skein_post_v1_draft,
  file_skein_post_v1_post,
  file_skein_user_v1_user,
];
/** Types of messages as the mesh sends them, and some that it does not. */
export const descs = [...files.flatMap(({ messages }) => messages), TimestampSchema, StructSchema];
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

/** Any message of a type, with any of its fields but maps, and one of each oneof at most. */
export function message(desc: DescMessage, depth = 0): fc.Arbitrary<object> {
  const isMade = ({ fieldKind, message: of }: DescField) =>
    fieldKind !== "map" && (of === undefined || depth < deepest);
  const alone = desc.fields.filter((field) => field.oneof === undefined && isMade(field));
  const fields = alone.map((field) => {
    const value = one(field, depth);
    return [field.localName, field.fieldKind === "list" ? fc.array(value, { maxLength: 3 }) : value] as const;
  });
  for (const choice of desc.oneofs) {
    const cases = choice.fields
      .filter(isMade)
      .map((field) => one(field, depth).map((value) => ({ case: field.localName, value })));
    if (cases.length > 0) fields.push([choice.localName, fc.oneof(...cases)]);
  }
  return fc
    .record(Object.fromEntries(fields), { requiredKeys: [], noNullPrototype: true })
    .map((init) => create(desc, init));
}
