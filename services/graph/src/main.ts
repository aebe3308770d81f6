import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { followersIn } from "./events.ts";
import { graphHandlers } from "./handlers.ts";
import { graphReadModel } from "./read-model.ts";
import { foldFollowerCounts, graphStore } from "./store.ts";

const service = await openService("graph", config);
const { db, redis, readers, log } = service;

const store = graphStore(db);
const followSets = graphReadModel({ redis, store, readers, log });
const relay = service.relay({
  fold: foldFollowerCounts,
  project: (events) => followSets.catchUp(followersIn(events)),
});
const handlers = graphHandlers({ db, store, followSets, pageTokens: pageTokens(config.cursorKey), nudge: relay.nudge });

await service.run([host(GraphService, handlers)]);
