import type { ServiceImpl } from "@connectrpc/connect";
import type { PostService } from "#gen/skein/api/v1/post_pb.ts";
import type { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillAuthorItems, noReactions, onePost, reactionsTo, withAuthor } from "../compose/posts.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import { isId, postIdOf, userNamed } from "./ids.ts";
import { pageOf, tellDegraded } from "./page.ts";

export function postRoutes(clients: Clients, pieces: Pieces): ServiceImpl<typeof PostService> {
  return {
    async createPost({ text, audience, mentionedUserIds }, ctx) {
      const idempotencyKey = idempotencyKeyOf(ctx);
      const { post, replayed } = await clients.post.createPost(
        { text, audience: audience as number as Audience, mentionedUserIds, idempotencyKey },
        within(ctx),
      );
      if (post === undefined) throw new Error("created no post");
      if (!replayed) return { post: await withAuthor(post, noReactions, clients, ctx) };
      ctx.responseHeader.set("Idempotency-Replayed", "true");
      return { post: await withAuthor(post, await reactionsTo(post.id, clients, ctx), clients, ctx) };
    },

    async getPost({ post }, ctx) {
      return { post: await onePost(postIdOf(post), clients, ctx) };
    },

    async deletePost({ post }, ctx) {
      await clients.post.deletePost({ postId: postIdOf(post) }, within(ctx));
      return {};
    },

    async listUserPosts(request, ctx) {
      const page = pageOf(request);
      const list = (authorId: string) => clients.feed.listAuthorFeed({ authorId, ...page }, within(ctx));
      const finding = clients.user.getUser({ user: userNamed(request.user) }, within(ctx));
      // An id is enough to begin with; a name has to be found first.
      const [{ user: author }, early] = await Promise.all([finding, isId(request.user) && list(request.user)]);
      if (author === undefined) throw notFound("user");
      const { items, nextPageToken, fromTruth } = early || (await list(author.id));
      tellDegraded(fromTruth, ctx);
      const shown = await fillAuthorItems(items, author, pieces, ctx);
      return { posts: shown.map(({ post }) => post), nextPageToken };
    },
  };
}
