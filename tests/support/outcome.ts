import {
  create,
  createRegistry,
  type DescMethod,
  type DescMethodUnary,
  type JsonObject,
  type Message,
  toJson,
} from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "#gen/google/rpc/error_details_pb.ts";
import { explain } from "#lib/mesh/errors.ts";

/** Who asks, and under which key. */
export type Head = { readonly token?: string | undefined; readonly key?: string | undefined };

/** What came back, in one form for all doors. */
export type Outcome =
  | { readonly ok: true; readonly message: JsonObject; readonly replayed: boolean }
  | {
      readonly ok: false;
      /** Of gRPC; the JSON door has only a status. */
      readonly code: string | undefined;
      readonly status: number;
      readonly reason: string | undefined;
      /** The names of the contract in camelCase, or a header's name. */
      readonly fields: readonly string[];
    };

/** One way to speak to the system. */
export type Door = {
  readonly name: string;
  call(method: DescMethodUnary, request: JsonObject, head: Head): Promise<Outcome>;
  close(): void;
};

export const headersOf = ({ token, key }: Head): Record<string, string> => ({
  ...(token !== undefined && { authorization: `Bearer ${token}` }),
  ...(key !== undefined && { "idempotency-key": key }),
});

/** What errors inside of messages hold. */
const registry = createRegistry(ErrorInfoSchema, BadRequestSchema);

export const answered = (method: DescMethod, message: Message | undefined, replayed: boolean): Outcome => ({
  ok: true,
  message: toJson(method.output, message ?? create(method.output), {
    alwaysEmitImplicit: true,
    registry,
  }) as JsonObject,
  replayed,
});

export function refused(err: ConnectError): Outcome {
  const { reason, violations } = explain(err);
  const fields = violations
    .map(({ field }) =>
      camelCase(field)
        .replace(/\[(\d+)\]/g, "/$1")
        .replaceAll(".", "/"),
    )
    .sort();
  return { ok: false, code: Code[err.code], status: statusOf(err.code, reason), reason, fields };
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The table of the JSON door, written a second time: from the code and the reason, as RFC 9457 has it. */
function statusOf(code: Code, reason = ""): number {
  const finer: Record<string, number> = { "idempotency-key-reused": 422, "payload-too-large": 413 };
  const byCode: Partial<Record<Code, number>> = {
    [Code.InvalidArgument]: 400,
    [Code.FailedPrecondition]: 400,
    [Code.OutOfRange]: 400,
    [Code.Unauthenticated]: 401,
    [Code.PermissionDenied]: 403,
    [Code.NotFound]: 404,
    [Code.AlreadyExists]: 409,
    [Code.Aborted]: 409,
    [Code.ResourceExhausted]: 429,
    [Code.Unimplemented]: 501,
    [Code.Unavailable]: 503,
    [Code.DeadlineExceeded]: 504,
  };
  return finer[reason] ?? byCode[code] ?? 500;
}
