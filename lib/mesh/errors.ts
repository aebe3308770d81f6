import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.ts";

/** One rule that one field of a request broke. `field` is the proto path, `rule` completes "must …". */
export type Violation = { field: string; rule: string };

/**
 * The one error that crosses the mesh: a code, a stable `reason` in kebab-case (it becomes the RFC 9457 type
 * `/problems/<reason>`), a message for people, and the fields at fault. Carried as google.rpc.ErrorInfo and BadRequest.
 */
export function problem(
  code: Code,
  reason: string,
  message: string,
  violations: readonly Violation[] = [],
): ConnectError {
  const err = new ConnectError(message, code);
  err.details.push({ desc: ErrorInfoSchema, value: { reason, domain: "skein" } });
  if (violations.length > 0) {
    const fieldViolations = violations.map(({ field, rule }) => ({ field, description: rule }));
    err.details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  return err;
}

/** INVALID_ARGUMENT: wrong whatever the state. */
export const invalid = (field: string, rule: string): ConnectError =>
  problem(Code.InvalidArgument, "validation", `${field} ${rule}`, [{ field, rule }]);

/** NOT_FOUND: there is none, or none that this viewer may know of; the two look the same. */
export const notFound = (what: string): ConnectError => problem(Code.NotFound, "not-found", `no such ${what}`);

/** UNAUTHENTICATED: nobody is signed in. */
export const unauthenticated = (): ConnectError =>
  problem(Code.Unauthenticated, "unauthenticated", "sign in and send the access token");

/** UNAVAILABLE: try again; `cause` is for the log. */
export function unavailable(what: string, cause?: unknown): ConnectError {
  const err = problem(Code.Unavailable, "unavailable", `${what} is unavailable`);
  err.cause = cause;
  return err;
}

/** Whether whoever was asked is away, or was too late. */
export const isAway = (reason: unknown): boolean =>
  reason instanceof ConnectError && (reason.code === Code.Unavailable || reason.code === Code.DeadlineExceeded);

/** The reason and the fields an error carries, whether it was made here or came over the wire. */
export function explain(err: ConnectError): { reason: string | undefined; violations: Violation[] } {
  const reason = detailOf(err, ErrorInfoSchema)?.reason;
  const violations = detailOf(err, BadRequestSchema)?.fieldViolations ?? [];
  return { reason, violations: violations.map(({ field, description }) => ({ field, rule: description })) };
}

function detailOf<S extends typeof ErrorInfoSchema | typeof BadRequestSchema>(err: ConnectError, schema: S) {
  for (const detail of err.details) {
    if ("desc" in detail && detail.desc.typeName === schema.typeName) return create(schema, detail.value as never);
  }
  return err.findDetails(schema)[0];
}
