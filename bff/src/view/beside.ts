import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Facets,
  FacetsSchema,
  LinkPreviewSchema,
  MediaListSchema,
  PostSchema,
  type ReplySetting,
} from "#gen/skein/api/v1/resources_pb.ts";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";
import type { PostContent } from "#gen/skein/post/v1/content_pb.ts";
import type { Post } from "#gen/skein/post/v1/post_pb.ts";
import { mediaView } from "./media.ts";

type Beside = Pick<
  MessageInitShape<typeof PostSchema>,
  "facets" | "contentWarning" | "language" | "editTime" | "replySetting" | "media" | "linkPreview"
>;

/** Their JSON names, in the order of their numbers, which is that of JSON. */
export const besideNames = ["facets", "contentWarning", "language", "editTime", "replySetting", "media"].map(
  (name) => PostSchema.field[name as keyof Beside].jsonName,
);

/** The same of what comes after all that belongs to the moment. */
export const besideLastNames = [PostSchema.field.linkPreview.jsonName];

/** What a post holds beside its text; what it does not hold is absent, so that a plain post is no longer for it. */
export const besideOf = ({ content, editTime, replySetting }: Post): Beside => ({
  ...contentView(content),
  ...(editTime && { editTime }),
  ...(replySetting !== 0 && { replySetting: replySetting as number as ReplySetting }),
  ...mediaIn(content),
  ...previewIn(content),
});

/** What the first link leads to, where that is known. */
export function previewIn(content: PostContent | undefined) {
  const preview = content?.linkPreview;
  if (preview === undefined) return {};
  const { url, title, description, siteName, image } = preview;
  return {
    linkPreview: create(LinkPreviewSchema, {
      url,
      title,
      description,
      siteName,
      ...(image && { image: mediaView(image) }),
    }),
  };
}

/** What a post shows beside its text, where it shows anything. */
export const mediaIn = (content: PostContent | undefined) =>
  content !== undefined && content.media.length > 0 && { media: mediaListView(content.media) };

export const mediaListView = (media: readonly Media[]) => create(MediaListSchema, { items: media.map(mediaView) });

/** All that people read of a post. */
export function readOf({ text, content }: Post): string {
  if (content === undefined) return text;
  const { contentWarning, poll, linkPreview } = content;
  const { title = "", description = "" } = linkPreview ?? {};
  return [contentWarning, text, ...(poll?.options ?? []), title, description].filter((part) => part !== "").join("\n");
}

/** One version of a post. */
export const versionView = ({ version, text, createTime, editTime, content }: Post) => ({
  version: Number(version),
  text,
  createTime: editTime ?? createTime,
  ...contentView(content),
});

export const contentView = (content: PostContent | undefined) => ({
  ...(content?.facets && { facets: facetsView(content.facets) }),
  ...(content !== undefined && content.contentWarning !== "" && { contentWarning: content.contentWarning }),
  ...(content !== undefined && content.language !== "" && { language: content.language }),
});

type Sent = NonNullable<PostContent["facets"]>;

export const facetsView = ({ mentions, hashtags, links }: Sent): Facets =>
  create(FacetsSchema, {
    mentions: mentions.map(({ range, userId }) => ({ ...rangeView(range), userId: String(userId) })),
    hashtags: hashtags.map(({ range, tag }) => ({ ...rangeView(range), tag })),
    links: links.map(({ range, url }) => ({ ...rangeView(range), url })),
  });

function rangeView(range: Sent["mentions"][number]["range"]) {
  if (range === undefined) return {};
  const { byteStart, byteEnd, start, end } = range;
  return { range: { byteStart, byteEnd, start, end } };
}

/** The same of media with three variants, beside its alt text. */
const mediaBytes = 4_000;
/** What a facet takes of memory with every form it is kept in, beside its own text. */
const facetBytes = 1_000;

/** What it takes of memory at most. */
export function besideBytes({ content }: Post): number {
  if (content === undefined) return 0;
  const { mentions = [], hashtags = [], links = [] } = content.facets ?? {};
  const media = [...content.media, ...(content.linkPreview?.image ? [content.linkPreview.image] : [])];
  const alts = media.map(({ alt }) => alt);
  const { url = "", title = "", description = "", siteName = "" } = content.linkPreview ?? {};
  const texts = [
    content.contentWarning,
    ...(content.poll?.options ?? []),
    url,
    title,
    description,
    siteName,
    ...alts,
    ...hashtags.map(({ tag }) => tag),
    ...links.map(({ url }) => url),
  ];
  const count = mentions.length + hashtags.length + links.length;
  return 600 + facetBytes * count + mediaBytes * media.length + texts.reduce((sum, { length }) => sum + 12 * length, 0);
}
