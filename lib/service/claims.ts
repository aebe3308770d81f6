import type { CallOptions, Client } from "@connectrpc/connect";
import type { Kind, Media, MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { idOf } from "#lib/storage/id.ts";
import { hashOf } from "#lib/storage/idempotency.ts";

/** The name under which media are claimed for what a key makes: the same whenever it is sent. */
export const claimOf = (what: "post" | "draft" | "comment", authorId: bigint, key: string): string =>
  `${what}:${hashOf(`${authorId} ${key}`).toString("base64url")}`;

/** The name under which media are claimed for a draft that is there. */
export const claimOfDraft = (draftId: bigint | string): string => `draft:${draftId}`;

/** The name under which a picture is claimed for somebody's profile. */
export const claimOfAvatar = (userId: bigint | string): string => `avatar:${userId}`;

/** The ids of the media that something is to have, none twice. INVALID_ARGUMENT beyond `max`. */
export function mediaIdsOf(sent: readonly string[], max: number): bigint[] {
  if (sent.length > max) throw invalid("media_ids", `must be at most ${max}`);
  const ids = sent.map((id, nth) => idOf(id, `media_ids[${nth}]`));
  if (new Set(ids).size < ids.length) throw invalid("media_ids", "must name nothing twice");
  return ids;
}

/** What is claimed, under which name, and of which kind it must be, where not any will do. */
export type Claim = { readonly mediaIds: readonly bigint[]; readonly attachment: string; readonly kind?: Kind };

/**
 * Claims media for one thing, and answers them as they will be shown. The same name claims the same again, so a create may be sent
 * again; what is claimed for a thing that never comes about is collected by its owner's service.
 */
export async function claimMedia(
  media: Pick<Client<typeof MediaService>, "attachMedia">,
  { mediaIds, ...claim }: Claim,
  options: CallOptions,
): Promise<Media[]> {
  if (mediaIds.length === 0) return [];
  const claimed = await media.attachMedia({ ...claim, mediaIds: mediaIds.map(String) }, options);
  return claimed.media;
}
