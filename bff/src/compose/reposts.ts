import type { HandlerContext } from "@connectrpc/connect";
import { FeedReason } from "#gen/skein/api/v1/feed_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { PostPiece } from "../view/piece.ts";
import type { ShownItem } from "../view/post.ts";
import { postsById } from "./posts-by-id.ts";

/** Which post a repost passes on; undefined for a post of its own. */
export function repostedBy({ content }: PostPiece): string | undefined {
  const id = content.content?.repostedPostId ?? 0n;
  return id === 0n ? undefined : String(id);
}

/**
 * Puts the post in the place of each repost of a page, as this viewer may see it now, and who passed it on. A post is on the page once,
 * where it is newest; what the viewer may not see, or is of somebody whom they mute, is left out. One call a noun and page that has a
 * repost; where an owner is away the reposts are left out, and the page is there.
 */
export async function withReposts(
  items: readonly ShownItem[],
  clients: Clients,
  ctx: HandlerContext,
): Promise<readonly ShownItem[]> {
  const ids = [...new Set(items.flatMap(({ post }) => repostedBy(post) ?? []))];
  if (ids.length === 0) return items;
  const posts = await seenUnmuted(ids, clients, ctx).catch((reason) => (isAway(reason) ? [] : Promise.reject(reason)));
  const byId = new Map(posts.map((one) => [one.post.id, one]));
  const met = new Set<string>();
  return items.flatMap((item): ShownItem[] => {
    const reposted = repostedBy(item.post);
    const shown = reposted === undefined ? item : byId.get(reposted);
    if (shown === undefined || met.has(shown.post.id)) return [];
    met.add(shown.post.id);
    if (reposted === undefined) return [item];
    const { activityId, author } = item;
    return [{ ...shown, activityId, reason: FeedReason.REPOST, repostedBy: author }];
  });
}

async function seenUnmuted(ids: readonly string[], clients: Clients, ctx: HandlerContext) {
  const posts = await postsById(ids, clients, ctx);
  const userIds = [...new Set(posts.map(({ author }) => author.id))];
  if (userIds.length === 0) return [];
  const { relationships } = await clients.graph.batchGetRelationships({ userIds }, within(ctx));
  const muted = new Set(userIds.filter((_, nth) => relationships[nth]?.muting));
  return posts.filter(({ author }) => !muted.has(author.id));
}
