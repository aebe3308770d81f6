import type { ServiceImpl } from "@connectrpc/connect";
import type { ContentService } from "#gen/skein/post/v1/contents_pb.ts";
import { invalid } from "#lib/mesh/errors.ts";
import { parseId } from "#lib/storage/id.ts";
import type { Statements } from "#lib/storage/mysql.ts";
import { contentsOf } from "../store/contents.ts";
import { shown } from "./shown.ts";

/** Ids in one call: what the pages of a batch of the mesh lack. */
const idsMax = 500;

export const contentHandlers = (db: Statements): ServiceImpl<typeof ContentService> => ({
  async batchGetContents({ postIds }) {
    if (postIds.length > idsMax) throw invalid("post_ids", `must be at most ${idsMax}`);
    const ids = postIds.map((id) => parseId(id) ?? 0n);
    const posts = await contentsOf(db, ids);
    return {
      contents: ids.map((id) => {
        const post = posts.get(id);
        return post === undefined ? {} : { post: shown(post) };
      }),
    };
  },
});
