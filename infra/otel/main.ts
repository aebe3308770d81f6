import { createServer, type RequestListener, type Server } from "node:http";
import { createLog } from "#lib/mesh/log.ts";
import { config } from "./config.ts";
import { queryApi } from "./query.ts";
import { otlpReceiver } from "./receiver.ts";
import { openStore } from "./store.ts";

/** An exporter on this machine has its body sent by then. */
const requestTimeoutMs = 10_000;
const connectionsMax = 256;

const log = createLog({ name: config.instance, level: "info" });
const store = openStore({ dir: config.dir, onDrop: (traces) => log.info("older traces dropped", { traces }) });
const keep = store.append;
const servers = await Promise.all([
  listen(config.otlpPort, otlpReceiver({ keep, failed: (error) => log.error("spans not kept", { error }) })),
  listen(config.queryPort, queryApi({ store, failed: (error) => log.error("query failed", { error }) })),
]);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, close);
log.info("ready", { otlpPort: config.otlpPort, queryPort: config.queryPort, ...store.counts() });

async function listen(port: number, listener: RequestListener): Promise<Server> {
  const server = createServer({ requestTimeout: requestTimeoutMs }, listener);
  server.maxConnections = connectionsMax;
  server.listen(port, config.host);
  await new Promise<void>((done, fail) => server.once("listening", done).once("error", fail));
  return server;
}

/** What was answered is in the file; who was not answered sends again. */
function close(): void {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  store.close();
  log.info("stopped");
}
