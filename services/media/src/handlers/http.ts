import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { answerProblem, HttpProblem } from "./problem.ts";

/** What answers one kind of address. `rest` is what follows the part that names the kind. */
export type Route = (req: IncomingMessage, res: ServerResponse, rest: string) => Promise<void>;

const limits = {
  headersTimeout: 10_000,
  /** A whole request with its body; uploads end before it by themselves, and are told so. */
  requestTimeout: 60_000,
  /** Longer than the edge keeps an idle connection, so that the edge closes first and never sends into a closed one. */
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 16 * 1024,
};
/** Of the edge, which has one for each request under way. */
const connectionsMax = 1_000;
/** Requests under way; more are told to come back. */
const inFlightMax = 500;
/** An answer that its client does not read any more. */
const idleMs = 60_000;
/** Requests under way get this long to finish. */
const finishMs = 5_000;

export type Readiness = { serving: boolean };

type Needs = {
  readonly routes: { readonly uploads: Route; readonly downloads: Route };
  readonly readiness: Readiness;
  readonly log: Log;
  readonly host: string;
  readonly port: number;
};

/** The door for bytes: /media/uploads/… takes them, /media/… gives them, /healthz says whether it does. Runs as a loop of the service. */
export async function openHttp({ routes, readiness, log, host, port }: Needs): Promise<{ port: number; loop: Loop }> {
  let inFlight = 0;
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (inFlight >= inFlightMax) throw new HttpProblem(503, "overloaded", "Overloaded", { "retry-after": "1" });
    inFlight++;
    res.once("close", () => inFlight--);
    const path = (req.url ?? "").split("?")[0] ?? "";
    const [, isUpload, rest = ""] = /^\/media\/(uploads\/)?(.+)$/.exec(path) ?? [];
    if (rest === "") throw new HttpProblem(404, "not-found", "There is nothing at this path");
    await (isUpload === undefined ? routes.downloads : routes.uploads)(req, res, rest);
  };
  const server = createServer(limits, (req, res) => {
    res.setHeader("x-content-type-options", "nosniff");
    if (!readiness.serving) res.setHeader("connection", "close");
    if (req.url === "/healthz") {
      res.writeHead(readiness.serving ? 200 : 503, { "content-type": "application/json" });
      return void res.end(JSON.stringify({ status: readiness.serving ? "serving" : "draining" }));
    }
    answer(req, res).catch((thrown: unknown) => answerProblem(req, res, thrown, log));
  });
  server.maxConnections = connectionsMax;
  server.timeout = idleMs;
  server.listen(port, host);
  await once(server, "listening");
  readiness.serving = true;

  return {
    port: (server.address() as AddressInfo).port,
    async loop(signal) {
      if (!signal.aborted) await once(signal, "abort");
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), finishMs);
      await closed;
      clearTimeout(cut);
    },
  };
}
