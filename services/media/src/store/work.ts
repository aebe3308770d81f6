import { State } from "#gen/skein/media/v1/media_pb.ts";
import { bigintOf, type Statements } from "#lib/storage/mysql.ts";
import type { StoredMedia } from "./media.ts";
import { releaseQuota } from "./quota.ts";

/** What processing makes of an upload. */
export type Processed = Pick<StoredMedia, "width" | "height" | "durationMs" | "blurhash" | "variants">;

/** Who works on an upload has so long, then somebody else may: longer than decoding may take, and its wait. */
const claimSeconds = 60;

/** How a whole upload becomes media, or fails to. */
export const working = (db: Statements) => ({
  /** Takes an upload to process, for a minute; false where somebody has it, or it is done. The minute grows with each try. */
  claim: async (id: bigint): Promise<boolean> => {
    const claimed = await db.exec(
      `UPDATE media SET tries = LEAST(tries + 1, 100), claim_time = TIMESTAMPADD(SECOND, ${claimSeconds}, NOW(3))
       WHERE id = ? AND state = ? AND (claim_time IS NULL OR claim_time < NOW(3))`, // PRIMARY
      [id, State.PROCESSING],
    );
    return claimed === 1;
  },

  /** How often it was claimed. */
  tries: async (id: bigint): Promise<number> =>
    Number((await db.query("SELECT tries FROM media WHERE id = ?", [id]))[0]?.tries ?? 0), // PRIMARY

  /** Lets a claim go, to be taken up again after a while. */
  putOff: (id: bigint, seconds: number): Promise<number> =>
    db.exec("UPDATE media SET claim_time = TIMESTAMPADD(SECOND, ?, NOW(3)) WHERE id = ? AND state = ?", [
      seconds, // PRIMARY
      id,
      State.PROCESSING,
    ]),

  /** Uploads that are whole and that nobody works on. */
  left: async (limit: number): Promise<bigint[]> => {
    const rows = await db.query(
      `SELECT id FROM media WHERE state = ? AND (claim_time IS NULL OR claim_time < NOW(3)) LIMIT ${limit}`, // by_claim
      [State.PROCESSING],
    );
    return rows.map((row) => bigintOf(row.id));
  },

  /** Keeps what processing made of it; its parts are no more. False where it was collected meanwhile. */
  ready: (id: bigint, { width, height, durationMs, blurhash, variants }: Processed): Promise<boolean> =>
    db.tx(async (tx) => {
      const kept = await tx.exec(
        "UPDATE media SET state = ?, width = ?, height = ?, duration_ms = ?, blurhash = ?, variants = ? WHERE id = ? AND state = ?", // PRIMARY
        [State.READY, width, height, durationMs, blurhash, JSON.stringify(variants), id, State.PROCESSING],
      );
      if (kept === 1) await tx.exec("DELETE FROM media_part WHERE media_id = ?", [id]); // PRIMARY
      return kept === 1;
    }),

  /** It is not what it was said to be. The row stays for a while, so that its owner can see why. */
  failed: (id: bigint, failure: string): Promise<boolean> =>
    db.tx(async (tx) => {
      const [row] = await tx.query("SELECT owner_id, size_bytes FROM media WHERE id = ? AND state = ? FOR UPDATE", [
        id, // PRIMARY
        State.PROCESSING,
      ]);
      if (row === undefined) return false;
      // It takes no room any more, so nothing is given back for it when the row goes.
      await tx.exec("UPDATE media SET state = ?, failure = ?, size_bytes = 0 WHERE id = ?", [
        State.FAILED,
        failure,
        id,
      ]); // PRIMARY
      await tx.exec("DELETE FROM media_part WHERE media_id = ?", [id]); // PRIMARY
      await releaseQuota(tx, bigintOf(row.owner_id), Number(row.size_bytes));
      return true;
    }),
});
