import { bigintOf, type Sql } from "#lib/storage/mysql.ts";

export type Quota = { readonly dayBytesMax: number; readonly storedBytesMax: number };

/** Counts an upload in; the rule that it breaks, where it breaks one: then the transaction is to be undone. */
export async function takeQuota(
  tx: Sql,
  ownerId: bigint,
  sizeBytes: number,
  { dayBytesMax, storedBytesMax }: Quota,
): Promise<string | undefined> {
  // One column a statement reads what another one sets in no order that all engines share: the day is turned first.
  await tx.exec(
    "INSERT INTO media_quota (owner_id, stored_bytes, day, day_bytes) VALUES (?, 0, UTC_DATE(), 0) ON DUPLICATE KEY UPDATE owner_id = owner_id",
    [ownerId],
  );
  await tx.exec("UPDATE media_quota SET day_bytes = 0, day = UTC_DATE() WHERE owner_id = ? AND day < UTC_DATE()", [
    ownerId, // PRIMARY
  ]);
  await tx.exec(
    "UPDATE media_quota SET stored_bytes = stored_bytes + ?, day_bytes = day_bytes + ? WHERE owner_id = ?", // PRIMARY
    [sizeBytes, sizeBytes, ownerId],
  );
  const [row] = await tx.query("SELECT stored_bytes, day_bytes FROM media_quota WHERE owner_id = ?", [ownerId]); // PRIMARY
  if (bigintOf(row?.day_bytes) > BigInt(dayBytesMax)) return `at most ${dayBytesMax} bytes a day`;
  if (bigintOf(row?.stored_bytes) > BigInt(storedBytesMax)) return `at most ${storedBytesMax} bytes in all`;
  return undefined;
}

/** Gives back what an upload took of its owner's room. What was announced today stays counted. */
export const releaseQuota = (tx: Sql, ownerId: bigint, sizeBytes: number): Promise<number> =>
  tx.exec("UPDATE media_quota SET stored_bytes = GREATEST(stored_bytes - ?, 0) WHERE owner_id = ?", [
    sizeBytes, // PRIMARY
    ownerId,
  ]);
