import type { PostService } from "#gen/skein/api/v1/post_pb.ts";
import type { Audience } from "#gen/skein/post/v1/post_pb.ts";
import { callOf, within } from "#lib/mesh/call.ts";
import { notFound } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Pieces } from "../compose/pieces.ts";
import { fillAuthorItems, noReactions, postNow, reactionsTo, withKnownAuthor } from "../compose/posts.ts";
import { idempotencyKeyOf } from "../door/idempotency.ts";
import type { Routes } from "../door/rpc.ts";
import { onePost, postsPage } from "../view/post.ts";
import { isId, postIdOf, userNamed } from "./ids.ts";
import { pageOf, tellDegraded } from "./page.ts";

export function postRoutes(clients: Clients, pieces: Pieces): Routes<typeof PostService> {
  return {
    async createPost({ text, audience, mentionedUserIds, mediaIds }, ctx) {
      const idempotencyKey = idempotencyKeyOf(ctx);
      const { post, replayed, authorVersion } = await clients.post.createPost(
        { text, audience: audience as number as Audience, mentionedUserIds, mediaIds, idempotencyKey },
        within(ctx),
      );
      if (post === undefined) throw new Error("created no post");
      if (replayed) ctx.responseHeader.set("Idempotency-Replayed", "true");
      const reactions = replayed ? await reactionsTo(post.id, clients, ctx) : noReactions;
      return onePost(
        await withKnownAuthor(post, authorVersion, reactions, { clients, pieces }, ctx),
        callOf(ctx).viewerId,
      );
    },

    async getPost({ post }, ctx) {
      return onePost(await postNow(postIdOf(post), clients, ctx), callOf(ctx).viewerId);
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
      const filled = await fillAuthorItems(items, author, pieces, ctx);
      const shown = filled.map(({ item, ...of }) => ({ ...of, reactions: item }));
      return postsPage(shown, nextPageToken, callOf(ctx).viewerId);
    },
  };
}
