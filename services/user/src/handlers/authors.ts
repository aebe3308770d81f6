import type { ServiceImpl } from "@connectrpc/connect";
import type { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { parseId } from "#lib/storage/id.ts";
import { type UserStore, userState } from "../store.ts";
import { slotOf } from "./shown.ts";

/** Ids in one call: what the pages of a batch of the mesh lack. */
const idsMax = 500;

export const authorHandlers = (store: Pick<UserStore, "byIds">): ServiceImpl<typeof AuthorService> => ({
  async batchGetAuthors({ userIds }) {
    if (userIds.length > idsMax) throw invalid("user_ids", `must be at most ${idsMax}`);
    const ids = userIds.map((id) => parseId(id) ?? 0n);
    const users = await store.byIds(ids);
    return {
      authors: ids.map((id) => {
        const user = users.get(id);
        return slotOf(user?.state === userState.open ? user : undefined);
      }),
    };
  },
});
