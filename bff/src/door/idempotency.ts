import { Code } from "@connectrpc/connect";
import { Idempotency, type Policy } from "#gen/skein/options/v1/options_pb.ts";
import { problem } from "#lib/mesh/errors.ts";
import type { Head } from "../session.ts";

const keyForm = /^[\x21-\x7e]{1,255}$/;
const header = "Idempotency-Key";

/** A create without a key could happen twice, so there is none: the key is asked for where the contract says KEYED. */
export function checkIdempotencyKey(policy: Policy, head: Head): void {
  if (policy.idempotency !== Idempotency.KEYED) return;
  const key = head.headers["idempotency-key"] ?? "";
  if (key === "") throw problem(Code.InvalidArgument, "idempotency-key-missing", `send an ${header} header`);
  if (typeof key !== "string" || !keyForm.test(key)) {
    const violation = { field: header, rule: "must be 1 to 255 visible ASCII characters" };
    throw problem(Code.InvalidArgument, "validation", `${header} ${violation.rule}`, [violation]);
  }
}

/** The key of a request that passed the check. */
export const idempotencyKeyOf = (ctx: { readonly requestHeader: Headers }): string =>
  ctx.requestHeader.get(header) ?? "";
