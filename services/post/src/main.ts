import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { DraftService } from "#gen/skein/post/v1/draft_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { QuoteService } from "#gen/skein/post/v1/quote_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { publishDue } from "./consumer.ts";
import { changeOf } from "./events.ts";
import { draftHandlers } from "./handlers/drafts.ts";
import { quoteHandlers } from "./handlers/quotes.ts";
import { postHandlers } from "./handlers.ts";
import { postReadModel } from "./read-model.ts";
import { draftStore } from "./store/draft.ts";
import { postStore } from "./store.ts";

const service = await openService("post", config);
const { db, redis, readers, log } = service;

const store = postStore(db);
const readModel = postReadModel({ redis, store, readers, log });
const told = postReadModel({ redis, store: postStore(db.background), readers, log });
const relay = service.relay({
  project: (events) => told.catchUp(events.map(changeOf).filter((change) => change !== undefined)),
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

await service.run(
  [
    host(PostService, postHandlers({ db, store, ...shared })),
    host(QuoteService, quoteHandlers({ db, readModel, standings })),
    host(DraftService, draftHandlers({ drafts: draftStore(db), ...shared })),
  ],
  [scheduled],
);
