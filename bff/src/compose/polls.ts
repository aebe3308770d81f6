import type { HandlerContext } from "@connectrpc/connect";
import { within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import { type ShownPoll, shownPoll } from "../view/poll.ts";
import type { ShownPost } from "../view/post.ts";

/**
 * How the polls of posts stand for this viewer: one call a page that has such a post. Where post is away, what they ask is shown without
 * counts.
 */
export async function pollsOf(
  shown: readonly ShownPost[],
  { post }: Pick<Clients, "post">,
  ctx: HandlerContext,
): Promise<ReadonlyMap<string, ShownPoll>> {
  const asking = shown.filter(({ post: { content } }) => content.content?.poll !== undefined);
  if (asking.length === 0) return new Map();
  const { polls } = await post
    .batchGetPolls({ postIds: asking.map(({ post: { id } }) => id) }, within(ctx))
    .catch((reason) => (isAway(reason) ? { polls: [] } : Promise.reject(reason)));
  return new Map(asking.map((one, nth) => [one.post.id, shownPoll(one.post, polls[nth]?.state)]));
}
