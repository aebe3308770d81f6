import type { CallOptions, Client } from "@connectrpc/connect";
import type { Media, MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { idOf } from "#lib/storage/id.ts";
import { hashOf } from "#lib/storage/idempotency.ts";

/** Media of one post. */
const mediaMax = 10;

/** The ids of the media that a post is to have: at most 10, none twice. */
export function mediaIdsOf(sent: readonly string[]): bigint[] {
  if (sent.length > mediaMax) throw invalid("media_ids", `must be at most ${mediaMax}`);
  const ids = sent.map((id) => idOf(id, "media_ids"));
  if (new Set(ids).size < ids.length) throw invalid("media_ids", "must name nothing twice");
  return ids;
}

/**
 * Claims media for the post that a key makes, and answers them as they will be shown. The same key claims the same again, so a
 * create may be sent again; what is claimed for a post that never comes about is collected by its owner's service.
 */
export async function claimMedia(
  media: Pick<Client<typeof MediaService>, "attachMedia">,
  {
    authorId,
    key,
    mediaIds,
  }: { readonly authorId: bigint; readonly key: string; readonly mediaIds: readonly bigint[] },
  options: CallOptions,
): Promise<Media[]> {
  if (mediaIds.length === 0) return [];
  const attachment = `post:${hashOf(`${authorId} ${key}`).toString("base64url")}`;
  const claimed = await media.attachMedia({ mediaIds: mediaIds.map(String), attachment }, options);
  return claimed.media;
}
