import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { AuthorService } from "#gen/skein/user/v1/author_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { host } from "#lib/mesh/serve.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { config } from "./config.ts";
import { sweepRegistrations } from "./consumer.ts";
import { versionsIn } from "./events.ts";
import { authorHandlers } from "./handlers/authors.ts";
import { passwords } from "./handlers/password.ts";
import { sessions } from "./handlers/session.ts";
import { userHandlers } from "./handlers.ts";
import { userReadModel } from "./read-model.ts";
import { userStore } from "./store.ts";

const service = await openService("user", config);
const { db, redis, log } = service;

const graph = service.client(GraphService);
const store = userStore(db);
const versions = userReadModel(redis, store, log);
const told = userReadModel(redis, userStore(db.background), log);
const { nudge } = service.relay({ project: (events) => told.apply(versionsIn(events)) });
const handlers = userHandlers({
  store,
  versions,
  readers: service.readers,
  media: service.client(MediaService),
  graph,
  standings: standingReader(redis, graph),
  passwords: passwords({ memoryKib: config.passwordMemoryKib }),
  sessions: await sessions({ accessKey: config.accessKey, lifeSeconds: config.accessTokenSeconds }),
  nudge,
});

await service.run(
  [host(UserService, handlers), host(AuthorService, authorHandlers(store))],
  [sweepRegistrations({ store, graph, nudge, log })],
);
