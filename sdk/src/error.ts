import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.ts";

/** One rule that one field of a request broke. */
export type Broken = { readonly field: string; readonly rule: string };

/** Why a call failed: a code of Connect, a stable reason in kebab-case, the fields at fault, and when to come back. */
export class SkeinError extends ConnectError {
  /** The word of the contract: `validation`, `not-found`, `quota-exceeded`, `not-an-image`, … */
  readonly reason: string;
  readonly fields: readonly Broken[];
  /** As the server asks; undefined where it does not. */
  readonly retryAfterSeconds: number | undefined;

  /** Connect knows its errors by their name, which therefore stays; ours are those that have a reason. */
  static override [Symbol.hasInstance](thrown: unknown): boolean {
    return thrown instanceof ConnectError && "reason" in thrown;
  }

  constructor(
    message: string,
    code: Code,
    { reason, fields = [], headers }: { reason: string; fields?: readonly Broken[]; headers?: Headers },
  ) {
    super(message, code, headers);
    this.reason = reason;
    this.fields = fields;
    const wait = Number(headers?.get("retry-after") ?? Number.NaN);
    this.retryAfterSeconds = Number.isFinite(wait) ? wait : undefined;
  }
}

/** Any failure of a call as the error of this client. A server that is not reached is `unavailable`. */
export function skeinError(thrown: unknown): SkeinError {
  if (thrown instanceof SkeinError) return thrown;
  const err = ConnectError.from(thrown, Code.Unavailable);
  const [info] = err.findDetails(ErrorInfoSchema);
  const fields = err
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field, description: rule }) => ({ field, rule })));
  const reason = info?.reason ?? (err.code === Code.Canceled ? "canceled" : kebab(Code[err.code] ?? "unknown"));
  const error = new SkeinError(err.rawMessage, err.code, { reason, fields, headers: err.metadata });
  error.cause = err;
  return error;
}

const kebab = (name: string): string => name.replace(/(?<=.)[A-Z]/g, "-$&").toLowerCase();
