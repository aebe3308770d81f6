import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { config } from "./config.ts";
import { changeOf } from "./events.ts";
import { postHandlers } from "./handlers.ts";
import { postReadModel } from "./read-model.ts";
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
const media = service.client(MediaService);
const handlers = postHandlers({ db, store, readModel, standings, media, nudge: relay.nudge });

await service.run([host(PostService, handlers)]);
