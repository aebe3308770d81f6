import { ConnectError } from "@connectrpc/connect";
import type { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Log } from "#lib/mesh/log.ts";
import type { Readiness } from "../middleware/health.ts";
import { type Named, type Naming, tellNames } from "../middleware/request-id.ts";
import type { Admission } from "../middleware/shed.ts";
import { rpcHandlers } from "./connect.ts";
import { report } from "./failure.ts";
import type { Gate } from "./policy.ts";
import { reflectionHandlers } from "./reflection.ts";
import type { Rpc } from "./rpc.ts";

type Node = Parameters<ReturnType<typeof connectNodeAdapter>>;
type Request = Node[0];
type Response = Node[1];

/** A request of HTTP/1.1 or HTTP/2, named. */
export type Exchange = Named & { readonly req: Request; readonly res: Response };
export type RpcHandler = (exchange: Exchange) => Promise<void>;

/** Answers what is asked by the name of an RPC: Connect, gRPC-web, and where the connection is HTTP/2, gRPC. */
export type RpcDoor = {
  /** Whether a path belongs to a package that is spoken here. */
  serves(url: string | undefined): boolean;
  handle(req: Request, res: Response): void;
};

/** How long a client that was answered may go on sending. */
const unreadMs = 500;

type Parts = Gate & {
  readonly rpcs: readonly Rpc[];
  readonly log: Log;
  readonly admission: Admission;
  readonly readiness: Readiness;
  /** Whether anybody may ask for the contracts. In development only. */
  readonly reflects: boolean;
  readonly name: Naming;
};

export function createRpcDoor({ rpcs, reflects, readiness, name, ...parts }: Parts): RpcDoor {
  const services = [...new Set(rpcs.map(({ method }) => method.parent))];
  const handlers = new Map<string, RpcHandler>([
    ...rpcHandlers(rpcs, parts),
    ...(reflects ? reflectionHandlers(services) : []),
  ]);
  const packages = [...new Set([...handlers.keys()].map((path) => path.replace(/\w+\/\w+$/, "")))];
  return {
    serves: (url = "") => packages.some((prefix) => url.startsWith(prefix)),
    handle(req, res) {
      const named = name(req);
      const { work } = named;
      tellNames(named, (header, value) => res.setHeader(header, value));
      res.setHeader("X-Content-Type-Options", "nosniff");
      res.setHeader("Cache-Control", "no-store");
      // On HTTP/2 a GOAWAY says it.
      if (!readiness.serving && req.httpVersionMajor === 1) res.setHeader("Connection", "close");
      res.once("finish", () => forgetRest(req));
      const handler = handlers.get(req.url?.split("?", 1)[0] ?? "");
      if (handler === undefined) {
        work.end();
        return refuseUnknown(req, res);
      }
      work
        .run(() => handler({ req, res, ...named }))
        .catch((error: unknown) => {
          if (res.headersSent) return void parts.log.debug("answer cut short", { error });
          // connect-node refuses what is no request of its protocols by throwing; anything else is a fault of ours.
          const isRefusal = error instanceof ConnectError;
          if (!isRefusal) report(parts.log, { rpc: undefined, ...named }, error);
          res.writeHead(isRefusal ? 400 : 500);
          res.end();
        })
        .finally(() => work.end());
    },
  };
}

/** What was refused unread is drained for a moment; then an HTTP/2 stream ends with NO_ERROR (RFC 9113, 8.1). */
function forgetRest(req: Request): void {
  req.resume();
  if (!("stream" in req) || req.complete) return;
  setTimeout(() => req.stream.close(), unreadMs).unref();
}

/** An RPC that is none of ours, as each protocol says it: a status where gRPC speaks, 404 otherwise. */
function refuseUnknown({ headers }: Request, res: Response): void {
  const type = headers["content-type"] ?? "";
  const message = "no such RPC";
  if (/^application\/grpc/i.test(type)) {
    res.writeHead(200, { "content-type": type, "grpc-status": "12", "grpc-message": encodeURIComponent(message) });
    res.end();
    return;
  }
  res.writeHead(404, { "content-type": "application/json" });
  res.end(JSON.stringify({ code: "unimplemented", message }));
}
