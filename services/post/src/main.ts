import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { MentionService } from "#gen/skein/post/v1/mention_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { RepostService } from "#gen/skein/post/v1/repost_pb.ts";
import { SaveService } from "#gen/skein/post/v1/save_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { publishDue } from "./consumer.ts";
import { saversIn } from "./events/save.ts";
import { changeOf } from "./events.ts";
import { draftHandlers } from "./handlers/drafts.ts";
import { mentionHandlers } from "./handlers/mentions.ts";
import { quoteHandlers } from "./handlers/quotes.ts";
import { repostHandlers } from "./handlers/reposts.ts";
import { saveHandlers } from "./handlers/saves.ts";
import { postHandlers } from "./handlers.ts";
import { saveReadModel } from "./read-model/saves.ts";
import { postReadModel } from "./read-model.ts";
import { collectionStore } from "./store/collection.ts";
import { draftStore } from "./store/draft.ts";
import { mentionStore } from "./store/mention.ts";
import { saveStore } from "./store/save.ts";
import { postStore } from "./store.ts";

const service = await openService("post", config);
const { db, redis, readers, log } = service;

const store = postStore(db);
const readModel = postReadModel({ redis, store, readers, log });
const told = postReadModel({ redis, store: postStore(db.background), readers, log });
const saves = saveStore(db);
const toldSaves = saveReadModel({ redis, store: saveStore(db.background), log });
const relay = service.relay({
  project: async (events) => {
    await told.catchUp(events.map(changeOf).filter((change) => change !== undefined));
    await toldSaves.catchUp(saversIn(events));
  },
});

const standings = standingReader(redis, service.client(GraphService));
const { nudge } = relay;
const shared = {
  readModel,
  standings,
  users: service.client(UserService),
  pageTokens: pageTokens(config.cursorKey),
  nudge,
};
const scheduled = publishDue({
  drafts: draftStore(db.background),
  readModel,
  standings,
  leases: service.leases("schedule"),
  nudge,
  log,
});

const saving = {
  ...shared,
  store: saves,
  collections: collectionStore(db),
  saves: saveReadModel({ redis, store: saves, log }),
};

await service.run(
  [
    host(PostService, postHandlers({ db, store, media: service.client(MediaService), ...shared })),
    host(RepostService, repostHandlers({ db, store, ...shared })),
    host(QuoteService, quoteHandlers({ db, readModel, standings })),
    host(DraftService, draftHandlers({ drafts: draftStore(db), ...shared })),
    host(SaveService, saveHandlers(saving)),
    host(MentionService, mentionHandlers({ ...shared, store: mentionStore(db) })),
  ],
  [scheduled],
);
