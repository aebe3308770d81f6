import type { HandlerContext } from "@connectrpc/connect";
import { PostFilter, type PostService } from "#gen/skein/api/v1/post_pb.ts";
import { AuthorFilter, type ListTagFeedResponse } from "#gen/skein/feed/v1/feed_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { invalid, notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { MutedWords } from "../compose/muted-words.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillAuthorItems, fillItems } from "../compose/posts.ts";
import { withSlots } from "../compose/slots.ts";
import type { Rendered } from "../door/rendered.ts";
import type { Routes } from "../door/rpc.ts";
import { readOf, versionView } from "../view/beside.ts";
import { withNewer } from "../view/newer.ts";
import { postsPage } from "../view/post.ts";
import { isId, postIdOf, userNamed } from "./ids.ts";
import { aboveOf, pageOf, tellDegraded } from "./page.ts";

/** Pages of posts, and of what a post said before. */
export function postLists(clients: Clients, pieces: Pieces, muted: MutedWords) {
  return {
    async listPostVersions({ post, ...page }, ctx) {
      const asked = { postId: postIdOf(post), ...pageOf(page) };
      const { posts, nextPageToken } = await clients.post.listPostVersions(asked, within(ctx));
      return { versions: posts.map(versionView), nextPageToken };
    },

    async listUserPosts(request, ctx) {
      const page = { ...pageOf(request), after: aboveOf(request), filter: filterOf(request.filter) };
      const list = (authorId: string) => clients.feed.listAuthorFeed({ authorId, ...page }, within(ctx));
      const finding = clients.user.getUser({ user: userNamed(request.user) }, within(ctx));
      // An id is enough to begin with; a name has to be found first. Who is nobody is told so, whatever is wrong with the page.
      const early = isId(request.user) ? list(request.user) : undefined;
      early?.catch(() => {});
      const { user: author } = await finding;
      if (author === undefined) throw notFound("user");
      const { items, nextPageToken, newerPageToken, fromTruth, pinned } = await (early ?? list(author.id));
      tellDegraded(fromTruth, ctx);
      // The pinned one first: its content comes in the same call as the others'.
      const filled = await fillAuthorItems(pinned ? [pinned, ...items] : items, author, pieces, ctx);
      const all = filled.map(({ item, ...of }, nth) => ({
        ...of,
        reactions: item,
        quoted: item.quoted,
        // The same one may stand in the list as well.
        isTop: nth === 0 && item === pinned,
      }));
      const shown = await withSlots(all, { clients, pieces }, ctx);
      const top = shown.find(({ isTop }) => isTop);
      const others = shown.filter(({ isTop }) => !isTop);
      return withNewer(postsPage(others, nextPageToken, callOf(ctx).viewerId, top), newerPageToken);
    },

    async listPublicPosts(request, ctx) {
      return listed(await clients.feed.listLocalFeed(pageOf(request), within(ctx)), ctx);
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
      .map(({ item, ...of }) => ({ ...of, reactions: item, quoted: item.quoted }));
    return postsPage(await withSlots(shown, { clients, pieces }, ctx), found.nextPageToken, viewerId);
  }
}

type Found = Pick<ListTagFeedResponse, "items" | "nextPageToken" | "fromTruth" | "mutedWordsVersion">;

function filterOf(filter: PostFilter = PostFilter.UNSPECIFIED): AuthorFilter {
  if (filter === PostFilter.UNSPECIFIED) return AuthorFilter.UNSPECIFIED;
  if (filter === PostFilter.MEDIA) return AuthorFilter.MEDIA;
  throw invalid("filter", "must be one of those named in the contract");
}
