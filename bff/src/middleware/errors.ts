import { Code, ConnectError } from "@connectrpc/connect";
import type { Log } from "#lib/mesh/log.ts";
import type { Binding } from "../door/binding.ts";
import { fieldNamed, report, retryAfterOf, tell, titleOf } from "../door/failure.ts";
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
  "media-not-ready": 409,
  "media-attached": 409,
  "upload-incomplete": 409,
  "unsupported-charset": 415,
  "unsupported-media-type": 415,
};

/** The only place where a code becomes a status: RFC 9457. What is our fault is logged here, once, and told to nobody. */
export const errors =
  (log: Log): Middleware =>
  async (ctx, next) => {
    try {
      await next();
    } catch (thrown) {
      const { binding, requestId, work } = ctx.state;
      const { code, reason, message, violations, isFault } = tell(thrown, (field) => pointerOf(binding, field));
      work.fail(code);
      if (isFault) report(log, { rpc: binding, requestId, work }, thrown);
      const status = statusOfReason[reason] ?? statusOf[code];
      setHeaders(ctx, status, code, thrown);
      ctx.status = status;
      ctx.set("Content-Type", "application/problem+json");
      ctx.body = Buffer.from(
        JSON.stringify({
          type: `/problems/${reason}`,
          title: titleOf(reason),
          status,
          detail: message,
          instance: `/requests/${requestId}`,
          traceId: work.traceparent.slice(3, 35),
          errors:
            violations.length > 0 ? violations.map(({ field, rule }) => ({ pointer: field, detail: rule })) : undefined,
        }),
      );
    }
  };

function setHeaders(ctx: Context, status: number, code: Code, thrown: unknown): void {
  const wait = retryAfterOf(code, thrown);
  if (wait !== undefined) ctx.set("Retry-After", wait);
  if (status === 401) ctx.set("WWW-Authenticate", "Bearer");
  const allow = ConnectError.from(thrown).metadata.get("Allow");
  if (status === 405 && allow !== null) ctx.set("Allow", allow);
}

/** Where the client wrote the field: `/displayName`, `/poll/options/1` in the body, `?pageSize` in the query, `{user}` in the path. */
function pointerOf(binding: Binding | undefined, field: string): string | undefined {
  if (binding === undefined) return field;
  const { isPath, own, within } = fieldNamed(binding, field);
  if (!isPath) return field;
  if (own === undefined) return undefined;
  if (binding.segments.includes(`{${own.name}}`)) return `{${own.name}}`;
  if (!binding.hasBody) return `?${own.jsonName}`;
  return [own, ...within].map((step) => `/${typeof step === "number" ? step : step.jsonName}`).join("");
}
