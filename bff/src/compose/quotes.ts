import type { HandlerContext } from "@connectrpc/connect";
import type { QuotedRef } from "#gen/skein/post/v1/quote_pb.ts";
import { within } from "#lib/mesh/call.ts";
import { isAway } from "#lib/mesh/errors.ts";
import type { Clients } from "../clients.ts";
import type { ShownPost } from "../view/post.ts";
import type { ShownQuote } from "../view/quote.ts";
import type { Pieces } from "./pieces.ts";

/** What is known to be in a post's slot, which names no post where its reader may not see it; absent where post is to be asked. */
export type Decided = { readonly quoted?: Ref | undefined };
type Ref = Pick<QuotedRef, "postId" | "postVersion" | "authorId" | "authorVersion">;

type Needs = { readonly clients: Pick<Clients, "post">; readonly pieces: Pieces };

/**
 * What is in the slots of posts that quote others, each as this viewer may see it now: decided with the page, or asked of post in one call
 * a page; content from memory, mostly. Where post is away slots are empty: a quote is no reason to have no page.
 */
export async function quotesOf(
  shown: readonly (ShownPost & Decided)[],
  { clients, pieces }: Needs,
  ctx: HandlerContext,
): Promise<ReadonlyMap<string, ShownQuote>> {
  const quoting = shown.filter(({ post }) => quotes(post));
  if (quoting.length === 0) return new Map();
  const unknown = quoting.filter(({ quoted }) => quoted === undefined).map(({ post }) => post.id);
  const asked = unknown.length === 0 ? [] : await quotedBy(unknown, clients, ctx);
  const byPost = new Map(unknown.map((id, nth) => [id, asked[nth]]));
  const found = quoting.flatMap(({ post: { id }, quoted }) => {
    const ref = quoted ?? byPost.get(id);
    return ref === undefined || ref.postId === "" ? [] : [{ ref, id }];
  });
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
  return new Map(quoting.map(({ post }) => [post.id, { of: slots.get(post.id) }]));
}

const quotedBy = async (postIds: string[], { post }: Needs["clients"], ctx: HandlerContext): Promise<readonly Ref[]> =>
  (
    await post
      .batchGetQuoted({ postIds }, within(ctx))
      .catch((reason) => (isAway(reason) ? { quoted: [] } : Promise.reject(reason)))
  ).quoted;

const quotes = ({ content }: ShownPost["post"]): boolean => (content.content?.quotedPostId ?? 0n) !== 0n;
