import { createRegistry, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { file_skein_comment_v1_events } from "#gen/skein/comment/v1/events_pb.ts";
import { file_skein_graph_v1_events } from "#gen/skein/graph/v1/events_pb.ts";
import { file_skein_like_v1_events } from "#gen/skein/like/v1/events_pb.ts";
import { file_skein_post_v1_events } from "#gen/skein/post/v1/events_pb.ts";
import { file_skein_user_v1_events } from "#gen/skein/user/v1/events_pb.ts";
import type { ParkedEvent } from "./store.ts";

/** Every fact that a service tells. */
const registry = createRegistry(
  file_skein_comment_v1_events,
  file_skein_graph_v1_events,
  file_skein_like_v1_events,
  file_skein_post_v1_events,
  file_skein_user_v1_events,
);

/** What an event says by its contract, or why that cannot be read. */
export type Contents = { readonly message: JsonValue } | { readonly unreadable: string };

/** Decodes a payload by its contract. Facts hold ids and numbers; should one hold words, only their length is shown. */
export function contentsOf({ stream, type, payload }: Pick<ParkedEvent, "stream" | "type" | "payload">): Contents {
  const desc = registry.getMessage(`skein.${stream}.v1.${type}`);
  if (desc === undefined) return { unreadable: `no contract knows ${type} of ${stream}` };
  try {
    const message = fromBinary(desc, payload);
    return { message: withoutTexts(toJson(desc, message, { registry, alwaysEmitImplicit: true })) };
  } catch (reason) {
    return { unreadable: reason instanceof Error ? reason.message : String(reason) };
  }
}

/** Ids are digits, and values of enums are words in capitals. */
const plain = /^(\d*|[A-Z][A-Z0-9_]*)$/;

function withoutTexts(value: JsonValue): JsonValue {
  if (typeof value === "string") return plain.test(value) ? value : `(${value.length} characters)`;
  if (Array.isArray(value)) return value.map(withoutTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutTexts(each)]));
}
