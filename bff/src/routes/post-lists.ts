import type { HandlerContext } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/api/v1/post_pb.ts";
import type { ListTagFeedResponse } from "#gen/skein/feed/v1/feed_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { MutedWords } from "../compose/muted-words.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillAuthorItems, fillItems } from "../compose/posts.ts";
import { withQuotes } from "../compose/quotes.ts";
import { repostedBy } from "../compose/reposts.ts";
import type { Rendered } from "../door/rendered.ts";
import type { Routes } from "../door/rpc.ts";
import { readOf, versionView } from "../view/beside.ts";
import { postsPage } from "../view/post.ts";
import { isId, postIdOf, userNamed } from "./ids.ts";
import { pageOf, tellDegraded } from "./page.ts";

/** Pages of posts, and of what a post said before. */
export function postLists(clients: Clients, pieces: Pieces, muted: MutedWords) {
  return {
    async listPostVersions({ post, ...page }, ctx) {
      const asked = { postId: postIdOf(post), ...pageOf(page) };
      const { posts, nextPageToken } = await clients.post.listPostVersions(asked, within(ctx));
      return { versions: posts.map(versionView), nextPageToken };
    },

    async listUserPosts(request, ctx) {
      const page = pageOf(request);
      const list = (authorId: string) => clients.feed.listAuthorFeed({ authorId, ...page }, within(ctx));
      const finding = clients.user.getUser({ user: userNamed(request.user) }, within(ctx));
      // An id is enough to begin with; a name has to be found first. Who is nobody is told so, whatever is wrong with the page.
      const early = isId(request.user) ? list(request.user) : undefined;
      early?.catch(() => {});
      const { user: author } = await finding;
      if (author === undefined) throw notFound("user");
      const { items, nextPageToken, fromTruth, pinned } = await (early ?? list(author.id));
      tellDegraded(fromTruth, ctx);
      // The pinned one first: its content comes in the same call as the others'.
      const filled = await fillAuthorItems(pinned ? [pinned, ...items] : items, author, pieces, ctx);
      // What the author passed on is in feeds, not among what they said.
      const own = filled.filter(({ post }) => repostedBy(post) === undefined);
      const all = own.map(({ item, ...of }) => ({ ...of, reactions: item, isTop: item === pinned }));
      const shown = await withQuotes(all, { clients, pieces }, ctx);
      const top = shown.find(({ isTop }) => isTop);
      const others = shown.filter(({ isTop }) => !isTop);
      return postsPage(others, nextPageToken, callOf(ctx).viewerId, top);
    },

    async listTagPosts({ tag, ...page }, ctx) {
      return listed(await clients.feed.listTagFeed({ tag, ...pageOf(page) }, within(ctx)), ctx);
    },

    async listPostQuotes({ post, ...page }, ctx) {
      const asked = { postId: postIdOf(post), ...pageOf(page) };
      return listed(await clients.feed.listQuoteFeed(asked, within(ctx)), ctx);
    },
  } satisfies Partial<Routes<typeof PostService>>;

  /** A page of everybody's posts, without the words that the viewer mutes. */
  async function listed(found: Found, ctx: HandlerContext): Promise<Rendered> {
    tellDegraded(found.fromTruth, ctx);
    const [filled, isMuted] = await Promise.all([
      fillItems(found.items, pieces, ctx),
      muted(found.mutedWordsVersion, ctx),
    ]);
    const { viewerId } = callOf(ctx);
    const shown = filled
      .filter(({ post }) => post.content.authorId === viewerId || !isMuted(readOf(post.content)))
      .map(({ item, ...of }) => ({ ...of, reactions: item }));
    return postsPage(await withQuotes(shown, { clients, pieces }, ctx), found.nextPageToken, viewerId);
  }
}

type Found = Pick<ListTagFeedResponse, "items" | "nextPageToken" | "fromTruth" | "mutedWordsVersion">;
