import { create } from "@bufbuild/protobuf";
import type { LinkPreview, Media } from "#gen/skein/media/v1/media_pb.ts";
import { type PostContent, PostContentSchema, type PostPoll } from "#gen/skein/post/v1/content_pb.ts";
import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import { pollOf } from "./polls.ts";
import { languageOf, warningOf } from "./rules.ts";

type Beside = {
  readonly contentWarning: string;
  readonly language: string;
  readonly quotedPostId?: bigint;
  readonly poll?: PostPoll | undefined;
};

/** What stands beside a text, as it is kept; undefined where there is nothing. */
export function contentOf(
  facets: Facets | undefined,
  beside: Beside,
  media: readonly Media[] = [],
  preview?: LinkPreview,
): PostContent | undefined {
  const [contentWarning, language] = [warningOf(beside.contentWarning), languageOf(beside.language)];
  const { quotedPostId = 0n } = beside;
  const poll = beside.poll && pollOf(beside.poll);
  const isPlain = contentWarning === "" && language === "" && quotedPostId === 0n && media.length === 0 && !poll;
  if (facets === undefined && isPlain) return undefined;
  // A preview is of the first link that stands there, and goes with it.
  const isOfLink = preview !== undefined && facets?.links[0]?.url === preview.url;
  const said = { contentWarning, language, quotedPostId, media: [...media], ...(poll && { poll }) };
  return create(PostContentSchema, { ...said, ...(facets && { facets }), ...(isOfLink && { linkPreview: preview }) });
}
