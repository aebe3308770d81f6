import type { HandlerContext } from "@connectrpc/connect";
import { within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { Rendered } from "../door/rendered.ts";
import { onePost, type ShownPost } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";

type Needs = { readonly clients: Pick<Clients, "post">; readonly pieces: Pieces };

/**
 * Fills the slots of posts that quote others, each as this viewer may see it now: one call a page that has such a post, and content
 * from memory, mostly. Where post is away slots are empty: a quote is no reason to have no page.
 */
export async function withQuotes<P extends ShownPost>(
  shown: readonly P[],
  { clients, pieces }: Needs,
  ctx: HandlerContext,
): Promise<readonly P[]> {
  const quoting = shown.filter(({ post }) => quotes(post));
  if (quoting.length === 0) return shown;
  const { quoted } = await clients.post
    .batchGetQuoted({ postIds: quoting.map(({ post }) => post.id) }, within(ctx))
    .catch((reason) => (isAway(reason) ? { quoted: [] } : Promise.reject(reason)));
  const found = quoted.flatMap((ref, nth) => (ref.postId === "" ? [] : [{ ref, id: quoting[nth]?.post.id }]));
  const [posts, authors] = await Promise.all([
    pieces.posts(
      found.map(({ ref }) => ({ id: ref.postId, version: ref.postVersion })),
      ctx,
    ),
    pieces.authors(
      found.map(({ ref }) => ({ id: ref.authorId, version: ref.authorVersion })),
      ctx,
    ),
  ]);
  const slots = new Map(
    found.map(({ id }, nth) => {
      const [post, author] = [posts[nth], authors[nth]];
      return [id, post && author ? { post, author } : undefined];
    }),
  );
  return shown.map((one) => (quotes(one.post) ? { ...one, quote: { of: slots.get(one.post.id) } } : one));
}

/** One post alone, with what it quotes. */
export async function shownAlone(
  post: ShownPost,
  viewer: string | undefined,
  needs: Needs,
  ctx: HandlerContext,
): Promise<Rendered> {
  const [filled = post] = await withQuotes([post], needs, ctx);
  return onePost(filled, viewer);
}

const quotes = ({ content }: ShownPost["post"]): boolean => (content.content?.quotedPostId ?? 0n) !== 0n;
