import { openService } from "#lib/service/open.ts";
import { pageTokens } from "#lib/storage/page.ts";
import { config } from "./config.ts";
import { touchedBy } from "./events.ts";
import { graphHandlers } from "./handlers.ts";
import { graphReadModel } from "./read-model.ts";
import { foldFollowerCounts } from "./store/follower-counts.ts";
import { graphStore } from "./store.ts";

const service = await openService("graph", config);
const { db, redis, readers, log } = service;

const store = graphStore(db);
const readModel = graphReadModel({ redis, store, readers, log });
// However many requests wait for the database, what was committed reaches readers.
const told = graphReadModel({ redis, store: graphStore(db.background), readers, log });
const relay = service.relay({
  fold: foldFollowerCounts,
  project: (events) => told.catchUp(touchedBy(events)),
});
const handlers = graphHandlers({ db, store, readModel, pageTokens: pageTokens(config.cursorKey), nudge: relay.nudge });

await service.run(handlers);
