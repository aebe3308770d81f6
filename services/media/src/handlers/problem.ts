import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, ConnectError } from "@connectrpc/connect";
import { newTraceparent, traceparentFrom } from "#lib/mesh/call.ts";
import { explain } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";

/** An answer that is a refusal: RFC 9457, in the words of the other doors. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, reason: string, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.name = "HttpProblem";
    this.status = status;
    this.reason = reason;
    this.headers = headers;
  }
}

/** What a thrown thing is to a client. Of what is ours nothing is told, and it is logged here, once. */
export function answerProblem(req: IncomingMessage, res: ServerResponse, thrown: unknown, log: Log): void {
  const trace = traceOf(req);
  const problem = problemOf(thrown);
  if (problem.status >= 500) log.error("request failed", { trace, request: requestOf(req), error: thrown });
  if (res.headersSent || res.destroyed) return void res.destroy();
  const { status, reason, message, headers } = problem;
  const title = `${reason.charAt(0).toUpperCase()}${reason.slice(1).replaceAll("-", " ")}`;
  const instance = `/requests/${requestOf(req)}`;
  const body = { type: `/problems/${reason}`, title, status, detail: message, instance, traceId: trace };
  res.writeHead(status, {
    ...headers,
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    // What was not read of the request would be read as the next one.
    ...(!req.complete && { connection: "close" }),
  });
  res.end(JSON.stringify(body));
}

function problemOf(thrown: unknown): HttpProblem {
  if (thrown instanceof HttpProblem) return thrown;
  if (!(thrown instanceof ConnectError)) return new HttpProblem(500, "internal", "Internal");
  if (thrown.code === Code.Unavailable || thrown.code === Code.DeadlineExceeded) {
    return new HttpProblem(503, "unavailable", "Unavailable", { "retry-after": "1" });
  }
  if (thrown.code === Code.NotFound) return new HttpProblem(404, "not-found", thrown.rawMessage);
  return new HttpProblem(400, explain(thrown).reason ?? "bad-request", thrown.rawMessage);
}

/** The edge names every request. */
const requestOf = (req: IncomingMessage): string => String(req.headers["x-request-id"] ?? "");

function traceOf({ headers }: IncomingMessage): string {
  const sent = headers.traceparent;
  return traceparentFrom(typeof sent === "string" ? sent : newTraceparent()).slice(3, 35);
}
