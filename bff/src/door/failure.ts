import { Code, ConnectError } from "@connectrpc/connect";
import { namesOf } from "#lib/mesh/call.ts";
import { explain, type Violation } from "#lib/mesh/errors.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Work } from "#lib/mesh/trace.ts";
import type { Rpc } from "./rpc.ts";

/** What a client is told of an error, in whatever form its door has. */
type Told = {
  readonly code: Code;
  /** In kebab-case: the RFC 9457 type, and the reason of google.rpc.ErrorInfo. */
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly Violation[];
  /** It is ours: it is logged, and nothing of it is told. */
  readonly isFault: boolean;
};

/** All that is said of what is our fault, whatever happened. */
const faults: { readonly [C in Code]?: string } = {
  [Code.Unknown]: "internal",
  [Code.Internal]: "internal",
  [Code.DataLoss]: "internal",
  [Code.Unimplemented]: "unimplemented",
  [Code.Unavailable]: "unavailable",
  [Code.DeadlineExceeded]: "deadline-exceeded",
};

/** `spell` names a field as the client of this door wrote it; undefined where it wrote none such. */
export function tell(thrown: unknown, spell: (field: string) => string | undefined): Told {
  const err = ConnectError.from(thrown, Code.Internal);
  const { reason, violations } = explain(err);
  const fault = reason === "method-not-allowed" ? undefined : faults[err.code];
  if (fault !== undefined) {
    const name = err.code === Code.Unavailable && reason === "overloaded" ? reason : fault;
    const code = fault === "internal" ? Code.Internal : err.code;
    // Shedding is told once, where it begins: a line for each refusal would cost more than the refusal.
    return { code, reason: name, message: titleOf(name), violations: [], isFault: name !== "overloaded" };
  }
  const spelled = violations.flatMap(({ field, rule }) => {
    const own = spell(field);
    return own === undefined ? [] : [{ field: own, rule }];
  });
  const rules = spelled.map(({ field, rule }) => `${field} ${rule}`).join("; ");
  return {
    code: err.code,
    reason: reason ?? nameOf(err.code),
    message: rules || err.rawMessage,
    violations: spelled,
    isFault: false,
  };
}

/** "Try again" comes with "when", in seconds. */
export function retryAfterOf(code: Code, thrown: unknown): string | undefined {
  if (code === Code.Unavailable) return "1";
  return ConnectError.from(thrown).metadata.get("Retry-After") ?? undefined;
}

type Where = { readonly rpc: Rpc | undefined; readonly requestId: string; readonly work: Work };

/** The one line of the log that an error of ours gets. */
export function report(log: Log, { rpc, requestId, work }: Where, reason: unknown): void {
  log.error("request failed", {
    rpc: rpc?.name,
    code: Code[ConnectError.from(reason, Code.Internal).code],
    ...namesOf({ traceparent: work.traceparent, requestId, caller: "" }),
    error: reason,
  });
}

const protoPath = /^[a-z][a-z0-9_]*/;

/**
 * The field of this RPC that a proto path means. Other services speak of ids, `user_id` for what is `user` here; what no
 * field of this RPC has is not the client's to mend. Undefined too where the text is no proto path.
 */
export function fieldNamed({ method }: Rpc, field: string) {
  const name = protoPath.exec(field)?.[0];
  const own = method.input.fields.find((own) => own.name === name || `${own.name}_id` === name);
  return { isPath: name !== undefined, own };
}

const nameOf = (code: Code): string => (Code[code] ?? "Unknown").replace(/(?<=.)[A-Z]/g, "-$&").toLowerCase();

export const titleOf = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll("-", " ")}`;
