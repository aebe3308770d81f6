import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { host } from "#lib/mesh/serve.ts";
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
const relay = service.relay({
  project: (events) => readModel.catchUp(events.map(changeOf).filter((change) => change !== undefined)),
});

await service.run([host(PostService, postHandlers({ db, store, readModel, nudge: relay.nudge }))]);
