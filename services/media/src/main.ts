import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { MediaService } from "#gen/skein/media/v1/media_pb.ts";
import { createDecoder } from "#lib/media/decoder.ts";
import { host } from "#lib/mesh/serve.ts";
import { createPreviews } from "#lib/preview/preview.ts";
import { standingReader } from "#lib/readmodel/standing.ts";
import { openService } from "#lib/service/open.ts";
import { openObjects } from "#lib/storage/objects.ts";
import { config } from "./config.ts";
import { collector } from "./consumer/collect.ts";
import { createProcessing } from "./consumer/process.ts";
import { hearComments, hearPosts, hearProfiles } from "./consumer.ts";
import { downloads } from "./handlers/download.ts";
import { openHttp, type Readiness } from "./handlers/http.ts";
import { previewing } from "./handlers/preview.ts";
import { uploadTokens } from "./handlers/token.ts";
import { uploads } from "./handlers/upload.ts";
import { mediaHandlers } from "./handlers.ts";
import { mediaStore } from "./store.ts";

const service = await openService("media", config);
const { db, redis, log } = service;

/** What was on its way when this replica last died is on its way no more. */
const spool = path.join(config.dir, "spool", config.instance);
rmSync(spool, { recursive: true, force: true });
mkdirSync(spool, { recursive: true });

const objects = openObjects({ ...config, dir: path.join(config.dir, "objects") });
const decoder = createDecoder(config);
const store = mediaStore(db, config);
const background = mediaStore(db.background, config);
const processing = createProcessing({ ...config, store, objects, decoder, spool, log });
const sweeping = createProcessing({ ...config, store: background, objects, decoder, spool, log });
const tokens = uploadTokens(config.internalKey);
const previews = createPreviews({ networks: config.previewNetworks });
const handlers = mediaHandlers({
  store,
  objects,
  processing,
  tokens,
  standings: standingReader(redis, service.client(GraphService)),
  orphanSeconds: config.orphanSeconds,
  fetchPreview: previewing({ store, objects, decoder, previews, spool, log }),
});

service.consume({ noun: "post", leases: service.leases("post"), ...hearPosts(background, config) });
service.consume({ noun: "comment", leases: service.leases("comment"), ...hearComments(background) });
service.consume({ noun: "user", leases: service.leases("user"), ...hearProfiles(background) });
const collect = collector({ ...config, store: background, objects, leases: service.leases("collect"), log });

const readiness: Readiness = { serving: false };
const http = await openHttp({
  routes: { uploads: uploads({ ...config, store, objects, tokens, processing, spool }), downloads: downloads(objects) },
  readiness,
  log,
  host: config.host,
  port: config.httpPort,
});
// The edge hears of it as early as the mesh does.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => (readiness.serving = false));
process.once("exit", decoder.close);

await service.run([host(MediaService, handlers)], [http.loop, sweeping.loop, collect]);
