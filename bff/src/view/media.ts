import { create } from "@bufbuild/protobuf";
import { type MediaKind, MediaSchema, type Media as ShownMedia } from "#gen/skein/api/v1/resources_pb.ts";
import type { Media } from "#gen/skein/media/v1/media_pb.ts";

/** Where media are fetched: this API itself, or what MEDIA_ORIGIN names. */
let origin = "";

/** Said once, before anything is shown: the bytes of a post are kept, and hold addresses. */
export function showMediaAt(mediaOrigin: string): void {
  origin = mediaOrigin;
}

/** Media as shown. The addresses never change their bytes, so whoever keeps them keeps them for good. */
export const mediaView = (media: Media): ShownMedia => {
  const { id, kind, alt, width, height, durationMs, blurhash, handle, variants } = media;
  return create(MediaSchema, {
    id,
    kind: kind as number as MediaKind,
    alt,
    width,
    height,
    durationMs,
    blurhash,
    variants: variants.map(({ name, ...size }) => ({
      url: `${origin}/media/${handle}/${name}`,
      width: size.width,
      height: size.height,
    })),
  });
};
