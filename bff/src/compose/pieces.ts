import type { CallOptions, HandlerContext } from "@connectrpc/connect";
import { callOf, onBehalfOfNobody, timeLeftMs, within } from "#lib/mesh/call.ts";
import { perTurn } from "#lib/mesh/turn.ts";
import type { Clients } from "../clients.ts";
import { type AuthorPiece, authorPiece, type PostPiece, postPiece } from "../view/piece.ts";
import { pieceCache, type Ref } from "./piece-cache.ts";

/** Of posts so much is kept, and as much of authors: some 30,000 posts, about 3 kB each. The head of a feed is read by many. */
const bytesUsual = 100_000_000;
/** Pages that ask together: as many as a batch of the mesh brings. */
const pagesMax = 32;
/** Ids in one call. */
const idsMax = 500;
/** Who has less time left asks alone, so that nobody else's time is theirs. */
const timeMinMs = 1_000;

/** Content by (id, version), in the order asked: from memory where it is, from its owner where it is not; undefined if gone. */
export type Pieces = {
  posts(refs: readonly Ref[], ctx: HandlerContext): Promise<readonly (PostPiece | undefined)[]>;
  authors(refs: readonly Ref[], ctx: HandlerContext): Promise<readonly (AuthorPiece | undefined)[]>;
};

/** For refs of pages whose viewers were decided about: owners say the same to everybody. */
export function createPieces({ post, user }: Pick<Clients, "post" | "user">, bytesMax = bytesUsual): Pieces {
  const posts = pieceCache<PostPiece>("post_piece", bytesMax);
  const authors = pieceCache<AuthorPiece>("author_piece", bytesMax);
  const postsOf = together(async (postIds, options) => {
    const { contents } = await post.batchGetContents({ postIds }, options);
    return contents.map((slot) => slot.post && postPiece(slot.post));
  });
  const authorsOf = together(async (userIds, options) => {
    const answer = await user.batchGetAuthors({ userIds }, options);
    return answer.authors.map((slot) => slot.user && authorPiece(slot.user));
  });
  return {
    posts: (refs, ctx) => posts.get(refs, (ids) => postsOf({ ids, ctx })),
    authors: (refs, ctx) => authors.get(refs, (ids) => authorsOf({ ids, ctx })),
  };
}

type Ask = { readonly ids: readonly string[]; readonly ctx: HandlerContext };
type Load<P> = (ids: string[], options: CallOptions) => Promise<readonly (P | undefined)[]>;

/** What several pages lack in one turn of the event loop is asked for by one call. */
function together<P>(load: Load<P>): (ask: Ask) => Promise<readonly (P | undefined)[]> {
  const loadAll = async (asks: readonly Ask[]) => {
    const ids = asks.flatMap((ask) => ask.ids);
    const parts = Array.from({ length: Math.ceil(ids.length / idsMax) }, (_, nth) =>
      ids.slice(nth * idsMax, (nth + 1) * idsMax),
    );
    const options = optionsOf(asks);
    const found = (await Promise.all(parts.map((part) => load(part, options)))).flat();
    let at = 0;
    return asks.map((ask) => {
      at += ask.ids.length;
      return found.slice(at - ask.ids.length, at);
    });
  };
  const inTurn = perTurn(pagesMax, loadAll);
  return async (ask) => {
    const isHurried = timeLeftMs(callOf(ask.ctx)) < timeMinMs;
    return isHurried ? ((await loadAll([ask]))[0] ?? []) : await inTurn(ask);
  };
}

function optionsOf(asks: readonly Ask[]): CallOptions {
  const [first, ...others] = asks;
  if (first !== undefined && others.length === 0) return within(first.ctx);
  return onBehalfOfNobody("", Math.min(...asks.map(({ ctx }) => timeLeftMs(callOf(ctx)))));
}
