import type { HandlerContext } from "@connectrpc/connect";
import { labelOf } from "#lib/mesh/text.ts";
import { maySeeAccount } from "#lib/readmodel/audience.ts";
import { idOf } from "#lib/storage/id.ts";
import { askedIn, changed, type GraphHandlers, type Needs, viewerIdOf } from "./call.ts";
import { changing } from "./follow.ts";
import { peoplePage } from "./page.ts";
import { batchOf, seenBy } from "./standing.ts";

/** Code points of a word or phrase. */
const wordMax = 50;

export function tieHandlers(needs: Needs) {
  const { store, pageTokens: tokens } = needs;

  const own = (kind: "blocks" | "mutes", request: { pageSize: number; pageToken: string }, ctx: HandlerContext) => {
    const viewerId = viewerIdOf(ctx);
    const keep = seenBy(store, viewerId, maySeeAccount);
    return peoplePage({ tokens, scope: `${kind}:${viewerId}`, request, read: store[kind](viewerId), keep });
  };

  return {
    blockUser: changing(needs, (asked, userId) => store.block(asked, userId, true)),
    unblockUser: changing(needs, (asked, userId) => store.block(asked, userId, false)),
    muteUser: changing(needs, (asked, userId) => store.mute(asked, userId, true)),
    unmuteUser: changing(needs, (asked, userId) => store.mute(asked, userId, false)),
    listBlocks: (req, ctx) => own("blocks", req, ctx),
    listMutes: (req, ctx) => own("mutes", req, ctx),

    async muteThread(req, ctx) {
      const postId = idOf(req.postId, "post_id");
      await store.muteThread(askedIn(ctx), postId);
      return {};
    },

    async unmuteThread(req, ctx) {
      const postId = idOf(req.postId, "post_id");
      await store.unmuteThread(askedIn(ctx), postId);
      return {};
    },

    async getMutedThreads(req) {
      const postIds = batchOf(req.postIds, "post_ids");
      return { postIds: (await store.mutedThreads(idOf(req.userId, "user_id"), postIds)).map(String) };
    },

    async muteWord(req, ctx) {
      const word = wordOf(req.word);
      await changed(needs, ctx, () => store.muteWord(askedIn(ctx), word));
      return {};
    },

    async unmuteWord(req, ctx) {
      const word = wordOf(req.word);
      await changed(needs, ctx, () => store.unmuteWord(askedIn(ctx), word));
      return {};
    },

    listMutedWords: (_req, ctx) => store.mutedWords(viewerIdOf(ctx)),
  } satisfies Partial<GraphHandlers>;
}

const wordOf = (sent: string): string => labelOf(sent, "word", wordMax);
