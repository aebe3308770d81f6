import assert from "node:assert/strict";
import { Code, ConnectError } from "@connectrpc/connect";
import { explain } from "#lib/mesh/errors.ts";

/** Asserts that a call is refused with this code and reason, and because of these fields where some are named. */
export async function refused(call: Promise<unknown>, code: Code, reason: string, ...fields: string[]): Promise<void> {
  const err = await call.then(
    (answer) => assert.fail(`not refused: ${String(answer)}`),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const told = explain(err);
  assert.deepEqual(
    { code: Code[err.code], reason: told.reason, fields: told.violations.map((violation) => violation.field) },
    { code: Code[code], reason, fields },
    err.message,
  );
}
