import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { commentOf } from "./comments.ts";
import type { Value } from "./yaml.ts";

type Schema = { readonly [name: string]: Value | undefined };

/** JSON as protobuf writes it: 64 bits and bytes are strings, enums their names, times RFC 3339. */
const scalars: { readonly [S in ScalarType]?: Schema } = {
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", minimum: 0, maximum: 4_294_967_295 },
  [ScalarType.INT64]: { type: "string", pattern: "^-?[0-9]+$" },
  [ScalarType.UINT64]: { type: "string", pattern: "^[0-9]+$" },
  [ScalarType.DOUBLE]: { type: "number", format: "double" },
};

const time: Schema = { type: "string", format: "date-time" };

/** The schemas that others refer to, by name: what was asked for, and all that it is made of. */
export function createSchemas() {
  const named = new Map<string, Schema>();

  const refer = (desc: DescMessage | DescEnum): Schema => {
    if (desc.typeName === "google.protobuf.Timestamp") return time;
    if (!named.has(desc.name)) {
      named.set(desc.name, {});
      named.set(desc.name, desc.kind === "enum" ? enumSchema(desc) : messageSchema(desc));
    }
    return { $ref: `#/components/schemas/${desc.name}` };
  };

  const single = (field: DescField): Schema => {
    if (field.message !== undefined) return refer(field.message);
    if (field.enum !== undefined) return refer(field.enum);
    const schema = field.scalar === undefined ? undefined : scalars[field.scalar];
    if (schema === undefined)
      throw new Error(`${field.parent.typeName}.${field.name}: a type that no schema is known for`);
    return schema;
  };

  const ofField = (field: DescField): Schema => {
    if (field.fieldKind === "map")
      throw new Error(`${field.parent.typeName}.${field.name}: no schema is known for maps`);
    const schema = field.fieldKind === "list" ? { type: "array", items: single(field) } : single(field);
    const description = commentOf(field);
    return description === undefined ? schema : { ...schema, description };
  };

  const messageSchema = (desc: DescMessage): Schema => {
    // What has no presence is always written, with its zero value too. A client may leave anything out.
    const written = desc.fields.filter(({ presence }) => presence === FeatureSet_FieldPresence.IMPLICIT);
    const isRequest = desc.name.endsWith("Request");
    return {
      type: "object",
      description: commentOf(desc),
      properties: Object.fromEntries(desc.fields.map((field) => [field.jsonName, ofField(field)])),
      ...(written.length > 0 && !isRequest && { required: written.map(({ jsonName }) => jsonName) }),
      ...(isRequest && { additionalProperties: false }),
    };
  };

  const enumSchema = (desc: DescEnum): Schema => ({
    type: "string",
    description: commentOf(desc),
    enum: desc.values.map(({ name }) => name),
  });

  return { refer, ofField, named };
}

export type Schemas = ReturnType<typeof createSchemas>;
