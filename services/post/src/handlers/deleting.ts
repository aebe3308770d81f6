import type { HandlerContext } from "@connectrpc/connect";
import { originOf } from "#lib/events/outbox.ts";
import { callOf } from "#lib/mesh/call.ts";
import type { OwnReadModel } from "../read-model/own.ts";
import type { PostReadModel } from "../read-model.ts";
import type { PostStore } from "../store.ts";

type Needs = {
  readonly store: Pick<PostStore, "delete">;
  readonly readModel: Pick<PostReadModel, "mustReachReaders" | "replace">;
  readonly own: Pick<OwnReadModel, "apply">;
  readonly nudge: () => void;
};

/** Deletes somebody's post, or their repost of another one. When this answers, nobody's next read shows it. */
export const deleting =
  ({ store, readModel, own, nudge }: Needs) =>
  async (postId: bigint, authorId: bigint, ctx: HandlerContext): Promise<void> => {
    await readModel.mustReachReaders();
    const { change, own: changed } = await store.delete(postId, authorId, originOf(ctx));
    nudge();
    await readModel.replace(change, callOf(ctx));
    if (changed !== undefined) await own.apply(changed);
  };
