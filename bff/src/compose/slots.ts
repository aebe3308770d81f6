import type { HandlerContext } from "@connectrpc/connect";
import type { Clients } from "../clients.ts";
import type { Rendered } from "../door/rendered.ts";
import { onePost, type ShownPost } from "../view/post.ts";
import type { Pieces } from "./pieces.ts";
import { pollsOf } from "./polls.ts";
import { type Decided, quotesOf } from "./quotes.ts";

type Needs = { readonly clients: Pick<Clients, "post">; readonly pieces: Pieces };

/** Fills what a page of posts has of this moment and this viewer beside its counts: quotes and polls, together, each where there is one. */
export async function withSlots<P extends ShownPost & Decided>(
  shown: readonly P[],
  needs: Needs,
  ctx: HandlerContext,
): Promise<readonly P[]> {
  if (shown.every(({ post }) => post.content.content === undefined)) return shown;
  const [quotes, polls] = await Promise.all([quotesOf(shown, needs, ctx), pollsOf(shown, needs.clients, ctx)]);
  if (quotes.size + polls.size === 0) return shown;
  return shown.map((one) => {
    const [quote, poll] = [quotes.get(one.post.id), polls.get(one.post.id)];
    return quote === undefined && poll === undefined ? one : { ...one, ...(quote && { quote }), ...(poll && { poll }) };
  });
}

/** One post alone, with its slots. */
export async function shownAlone(
  post: ShownPost,
  viewer: string | undefined,
  needs: Needs,
  ctx: HandlerContext,
): Promise<Rendered> {
  const [filled = post] = await withSlots([post], needs, ctx);
  return onePost(filled, viewer);
}
