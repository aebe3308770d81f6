import type { DescField } from "@bufbuild/protobuf";
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

/** `poll.options[1]`, as google.rpc.BadRequest spells the place of a value: names, and numbers from 0. */
const protoPath = /^[a-z][a-z0-9_]*(\[\d+\]|\.[a-z][a-z0-9_]*)*$/;

/**
 * The field of this RPC that a proto path means, and the way on from it. Other services speak of ids, `user_id` for what is `user`
 * here, and of parts that this RPC may not have: the way goes as far as this RPC does. What no field of it has is not the client's to
 * mend: `own` is undefined. `isPath` is false where the text is no proto path.
 */
export function fieldNamed({ method }: Rpc, field: string) {
  if (!protoPath.test(field)) return { isPath: false, own: undefined, within: [] };
  const [name = "", ...rest] = field.split(/[.[\]]+/).filter((step) => step !== "");
  const own = method.input.fields.find((own) => own.name === name || `${own.name}_id` === name);
  return { isPath: true, own, within: own === undefined ? [] : wayOn(own, rest) };
}

/** What is inside a field, down to where a way leads, in the contract's names or JSON's: fields of messages, and places in lists. */
export function wayOn(from: DescField, [step, ...rest]: readonly string[]): (DescField | number)[] {
  if (step === undefined) return [];
  // A list holds no list, so what follows a place is a field.
  if (/^\d/.test(step)) return from.fieldKind === "list" ? [Number(step)] : [];
  const fields = from.fieldKind === "message" ? from.message.fields : [];
  const own = fields.find(({ name, jsonName }) => name === step || jsonName === step);
  return own === undefined ? [] : [own, ...wayOn(own, rest)];
}

const nameOf = (code: Code): string => (Code[code] ?? "Unknown").replace(/(?<=.)[A-Z]/g, "-$&").toLowerCase();

export const titleOf = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1).replaceAll("-", " ")}`;
