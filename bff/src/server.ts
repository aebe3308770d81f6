import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo, Server as NetServer } from "node:net";
import type { Log } from "#lib/mesh/log.ts";
import type { App } from "./app.ts";
import type { RpcDoor } from "./door/rpc-door.ts";
import { healthOf, type Readiness } from "./middleware/health.ts";

export type Server = { readonly port: number; readonly grpcPort: number; stop(): Promise<void> };

/** What a connection may cost. Node's own numbers are for a server that faces friends. */
const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the edge keeps an idle connection, so that the edge closes first and never sends into a closed one. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};
const http2Limits = {
  /** The edge speaks for many clients on one connection: all that this process answers at once. */
  settings: { maxConcurrentStreams: 1_000, maxHeaderListSize: limits.maxHeaderSize },
  /** Pairs in one head; the edge lets 100 through. */
  maxHeaderListPairs: 128,
  /** Megabytes of one connection's streams and buffers: the bodies of that many calls, 256 KiB each, are not all read. */
  maxSessionMemory: 64,
  /** Frames that break the protocol, and streams refused: the edge sends none, so whoever does is cut off. */
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  /** Pings that wait for an answer. */
  maxOutstandingPings: 10,
  unknownProtocolTimeout: 1_000,
};
const connectionsMax = 10_000;
/** Requests in flight get this long to finish. */
const finishMs = 5_000;

type Options = {
  readonly app: App;
  readonly rpcDoor: RpcDoor;
  readonly log: Log;
  readonly readiness: Readiness;
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
  /** How long the edge gets to notice that we are leaving before we refuse new connections. */
  readonly drainMs: number;
};

/**
 * Listens on both ports, and on `stop`: unhealthy → wait → GOAWAY, no new connections → finish what is in flight → cut what
 * is not done.
 */
export async function listen({
  app,
  rpcDoor,
  log,
  readiness,
  host,
  port,
  grpcPort,
  drainMs,
}: Options): Promise<Server> {
  const listeners = [http1(app, rpcDoor), http2(rpcDoor, readiness)] as const;
  const ports = await Promise.all([bind(listeners[0].server, host, port), bind(listeners[1].server, host, grpcPort)]);
  readiness.serving = true;

  const drain = async () => {
    readiness.serving = false;
    await new Promise((done) => setTimeout(done, drainMs));
    const closed = Promise.all(listeners.map(({ server }) => new Promise((done) => server.close(done))));
    const leave = () => listeners.forEach((listener) => void listener.leave());
    leave();
    const idle = setInterval(leave, 100);
    const cut = setTimeout(() => {
      log.warn("requests cut short");
      for (const listener of listeners) listener.cut();
    }, finishMs);
    await closed;
    clearInterval(idle);
    clearTimeout(cut);
  };
  let stopping: Promise<void> | undefined;
  return {
    port: ports[0],
    grpcPort: ports[1],
    stop: () => {
      stopping ??= drain();
      return stopping;
    },
  };
}

type Listener = {
  readonly server: NetServer;
  /** Ends connections as they fall idle. */
  leave(): void;
  /** Ends all of them. */
  cut(): void;
};

async function bind(server: NetServer, host: string, port: number): Promise<number> {
  server.maxConnections = connectionsMax;
  server.listen(port, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** JSON, Connect and gRPC-web. */
function http1(app: App, rpcDoor: RpcDoor): Listener {
  const handle = app.callback();
  const server = createHttpServer(limits, (req, res) => {
    if (rpcDoor.serves(req.url)) rpcDoor.handle(req, res);
    else void handle(req, res);
  });
  server.maxRequestsPerSocket = 0;
  return { server, leave: () => server.closeIdleConnections(), cut: () => server.closeAllConnections() };
}

/** gRPC, whose trailers need HTTP/2; Connect and gRPC-web are understood too. */
function http2(rpcDoor: RpcDoor, readiness: Readiness): Listener {
  const server: Http2Server = createHttp2Server(http2Limits, (req, res) => {
    if (req.url !== "/healthz") return rpcDoor.handle(req, res);
    const { status, body } = healthOf(readiness);
    res.writeHead(status, { "content-type": "application/json" });
    res.end(body);
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.setTimeout(limits.keepAliveTimeout, () => session.close());
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream) => stream.setTimeout(limits.requestTimeout, () => stream.close()));
  return {
    server,
    leave: () => sessions.forEach((session) => void session.close()),
    cut: () => sessions.forEach((session) => void session.destroy()),
  };
}
