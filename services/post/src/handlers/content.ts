import { create } from "@bufbuild/protobuf";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import { type PostContent, PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import { languageOf, warningOf } from "./rules.ts";

type Beside = { readonly contentWarning: string; readonly language: string; readonly quotedPostId?: bigint };

/** What stands beside a text, as it is kept; undefined where there is nothing. */
export function contentOf(
  facets: Facets | undefined,
  beside: Beside,
  media: readonly Media[] = [],
): PostContent | undefined {
  const [contentWarning, language] = [warningOf(beside.contentWarning), languageOf(beside.language)];
  const { quotedPostId = 0n } = beside;
  const isPlain = contentWarning === "" && language === "" && quotedPostId === 0n && media.length === 0;
  if (facets === undefined && isPlain) return undefined;
  const said = { contentWarning, language, quotedPostId, media: [...media] };
  return create(PostContentSchema, { ...said, ...(facets && { facets }) });
}
