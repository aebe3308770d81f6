import { create } from "@bufbuild/protobuf";
import { type PostContent, PostContentSchema } from "#gen/skein/post/v1/post_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import { languageOf, warningOf } from "./rules.ts";

type Beside = { readonly contentWarning: string; readonly language: string };

/** What stands beside a text, as it is kept; undefined where there is nothing. */
export function contentOf(facets: Facets | undefined, beside: Beside): PostContent | undefined {
  const [contentWarning, language] = [warningOf(beside.contentWarning), languageOf(beside.language)];
  if (facets === undefined && contentWarning === "" && language === "") return undefined;
  return create(PostContentSchema, { contentWarning, language, ...(facets && { facets }) });
}
