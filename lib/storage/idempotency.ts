import { createHash } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { bigintOf, type Param, type Statements } from "./mysql.ts";

/** A create as its key sees it: whose, under which key, and everything that was asked. */
export type Keyed = { readonly authorId: bigint; readonly key: string; readonly text: string };

/** A key of a create: 1 to 255 visible ASCII characters. */
export function keyOf(key: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid("idempotency_key", "must be 1 to 255 visible ASCII characters");
  }
  return key;
}

/** How keys and requests are kept: 32 bytes each, whatever was sent. */
export const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The row that makes a create happen once for its key: user_id, key_hash, request_hash and what it made. */
export const keyRow = ({ authorId, key, text }: Keyed, madeId: bigint): Param[] => [
  authorId,
  hashOf(key),
  hashOf(text),
  madeId,
];

/**
 * What was made under a key that is in table `idempotency` already, from its column `made`. FAILED_PRECONDITION where
 * the key was used for another request; ABORTED where the create that took the key did not commit after all.
 */
export async function madeUnder(db: Statements, keyed: Keyed, made: string): Promise<bigint> {
  const id = await keptUnder(db, keyed, made);
  if (id === undefined) throw problem(Code.Aborted, "conflict", "two creates met; send it again");
  return id;
}

/** The same; undefined where the key was not used. A create whose parts may be gone asks it before it checks them. */
export async function keptUnder(
  db: Statements,
  { authorId, key, text }: Keyed,
  made: string,
): Promise<bigint | undefined> {
  const [row] = await db.query(
    `SELECT request_hash, ${made} AS made FROM idempotency WHERE user_id = ? AND key_hash = ?`, // PRIMARY
    [authorId, hashOf(key)],
  );
  if (row === undefined) return undefined;
  if (!(row.request_hash as Buffer).equals(hashOf(text))) {
    throw problem(Code.FailedPrecondition, "idempotency-key-reused", "this key was used for another request");
  }
  return bigintOf(row.made);
}
