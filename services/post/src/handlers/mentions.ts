import type { ServiceImpl } from "@connectrpc/connect";
import type { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import type { StandingReader } from "#lib/readmodel/standing.ts";
import type { PageTokens } from "#lib/storage/page.ts";
import type { PostReadModel } from "../read-model.ts";
import type { MentionStore } from "../store/mention.ts";
import { ownPage } from "./visible.ts";

type Needs = {
  store: MentionStore;
  readModel: Pick<PostReadModel, "load">;
  standings: StandingReader;
  pageTokens: PageTokens;
};

export const mentionHandlers = ({ store, ...needs }: Needs): ServiceImpl<typeof MentionService> => ({
  listMentions: (req, ctx) => ownPage(needs, { ...req, scope: "mentions" }, store.list, ctx),
});
