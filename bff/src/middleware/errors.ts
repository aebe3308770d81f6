import { Code, ConnectError } from "@connectrpc/connect";
import { explain } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Binding } from "../door/binding.ts";
import type { Context, Middleware } from "../door/state.ts";

/** The status of each code; 499 is the word of the trade for a client that went away. */
const statusOf: Readonly<Record<Code, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** Where HTTP has a finer word than the code. */
const statusOfReason: Readonly<Record<string, number>> = {
  "idempotency-key-reused": 422,
  "invalid-cursor": 400,
  "method-not-allowed": 405,
  "payload-too-large": 413,
  "unsupported-charset": 415,
  "unsupported-media-type": 415,
};

/** All that is said from 500 up, whatever happened. */
const faults: Readonly<Record<number, string>> = {
  500: "internal",
  501: "unimplemented",
  503: "unavailable",
  504: "deadline-exceeded",
};

/** The only place where a code becomes a status: RFC 9457. What is our fault is logged here, once, and told to nobody. */
export const errors =
  (log: Log): Middleware =>
  async (ctx, next) => {
    try {
      await next();
    } catch (reason) {
      const err = ConnectError.from(reason, Code.Internal);
      const { reason: said, violations } = explain(err);
      const status = statusOfReason[said ?? ""] ?? statusOf[err.code];
      if (status >= 500) report(log, ctx, err, reason);
      const isOverload = status === 503 && said === "overloaded";
      const name = status >= 500 && !isOverload ? (faults[status] ?? "internal") : (said ?? nameOf(err.code));
      const broken = violations.flatMap(({ field, rule }) => {
        const pointer = pointerOf(ctx.state.binding, field);
        return pointer === undefined ? [] : [{ pointer, detail: rule }];
      });
      setHeaders(ctx, status, err);
      ctx.status = status;
      ctx.set("Content-Type", "application/problem+json");
      ctx.body = Buffer.from(
        JSON.stringify({
          type: `/problems/${name}`,
          title: titleOf(name),
          status,
          detail: detailOf(status, name, err, broken),
          instance: `/requests/${ctx.state.requestId}`,
          traceId: ctx.state.traceparent.slice(3, 35),
          errors: broken.length > 0 ? broken : undefined,
        }),
      );
    }
  };

type Broken = { readonly pointer: string; readonly detail: string };

function detailOf(status: number, name: string, err: ConnectError, broken: readonly Broken[]): string {
  if (status >= 500) return titleOf(name);
  if (broken.length > 0) return broken.map(({ pointer, detail }) => `${pointer} ${detail}`).join("; ");
  return err.rawMessage;
}

function setHeaders(ctx: Context, status: number, err: ConnectError): void {
  if (status === 401) ctx.set("WWW-Authenticate", "Bearer");
  if (status === 503) ctx.set("Retry-After", "1");
  const allow = err.metadata.get("Allow");
  if (status === 405 && allow !== null) ctx.set("Allow", allow);
}

function report(log: Log, ctx: Context, err: ConnectError, reason: unknown): void {
  log.error("request failed", {
    rpc: ctx.state.binding?.name,
    code: Code[err.code],
    requestId: ctx.state.requestId,
    trace: ctx.state.traceparent.slice(3, 35),
    error: reason,
  });
}

const protoPath = /^[a-z][a-z0-9_]*/;

/**
 * Where the client wrote the field: `/displayName` in the body, `?pageSize` in the query, `{user}` in the path. Other
 * services speak of ids, `user_id` for what is `user` here. What is no proto field already is a pointer; what no field
 * of this RPC has is not the client's to mend.
 */
function pointerOf(binding: Binding | undefined, field: string): string | undefined {
  const name = protoPath.exec(field)?.[0];
  if (name === undefined || binding === undefined) return field;
  const own = binding.method.input.fields.find((own) => own.name === name || `${own.name}_id` === name);
  if (own === undefined) return undefined;
  if (binding.segments.includes(`{${own.name}}`)) return `{${own.name}}`;
  return `${binding.hasBody ? "/" : "?"}${own.jsonName}`;
}

const nameOf = (code: Code): string => (Code[code] ?? "Unknown").replace(/(?<=.)[A-Z]/g, "-$&").toLowerCase();

const titleOf = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll("-", " ")}`;
