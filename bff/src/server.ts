import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "#lib/mesh/log.ts";
import type { App } from "./app.ts";
import type { Readiness } from "./middleware/health.ts";

export type Server = { readonly port: number; stop(): Promise<void> };

/** What a connection may cost. Node's own numbers are for a server that faces friends. */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the edge keeps an idle connection, so that the edge closes first and never sends into a closed one. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};
const connectionsMax = 10_000;
/** Requests in flight get this long to finish. */
const finishMs = 10_000;

type Options = {
  readonly app: App;
  readonly log: Log;
  readonly readiness: Readiness;
  readonly port: number;
  /** How long the edge gets to notice that we are leaving before we refuse new connections. */
  readonly drainMs: number;
};

/** Listens, and on `stop`: unhealthy → wait → no new connections → finish what is in flight → cut what is not done. */
export async function listen({ app, log, readiness, port, drainMs }: Options): Promise<Server> {
  const handle = app.callback();
  const server = createServer(limits, (req, res) => void handle(req, res));
  server.maxRequestsPerSocket = 0;
  server.maxConnections = connectionsMax;
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  readiness.serving = true;

  const drain = async () => {
    readiness.serving = false;
    await new Promise((done) => setTimeout(done, drainMs));
    const closed = new Promise((done) => server.close(done));
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    const cut = setTimeout(() => {
      log.warn("requests cut short");
      server.closeAllConnections();
    }, finishMs);
    await closed;
    clearInterval(idle);
    clearTimeout(cut);
  };
  let stopping: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      stopping ??= drain();
      return stopping;
    },
  };
}
