import { Code } from "@connectrpc/connect";
import { State } from "#gen/skein/media/v1/media_pb.ts";
import { problem } from "#lib/mesh/errors.ts";
import { bigintOf, type Statements } from "#lib/storage/mysql.ts";
import { collected } from "./media.ts";
import { releaseQuota } from "./quota.ts";

/** What is being collected: its rows go when its bytes are gone. */
export type Collected = { readonly id: bigint; readonly handle: string };

/** How media end. */
export const collecting = (db: Statements) => ({
  /** Takes back what is its owner's and part of nothing; again is the same as once, and what is nobody's stays nobody's. */
  takeBack: (id: bigint, ownerId: bigint): Promise<void> =>
    db.tx(async (tx) => {
      const [row] = await tx.query("SELECT owner_id, state, attachment FROM media WHERE id = ? FOR UPDATE", [id]); // PRIMARY
      if (row === undefined || bigintOf(row.owner_id) !== ownerId) return;
      if (row.attachment !== null) {
        throw problem(Code.FailedPrecondition, "media-attached", "something was made of it; delete that");
      }
      await tx.exec("UPDATE media SET state = ?, collect_time = NOW(3) WHERE id = ?", [collected, id]); // PRIMARY
    }),

  /** Those whose time has come, from now on seen by nobody. One that is being worked on waits until that is over. */
  due: async (limit: number, isMine: (id: bigint) => boolean): Promise<Collected[]> => {
    const rows = await db.query(
      `SELECT id, handle, state FROM media WHERE collect_time <= NOW(3) AND (state <> ? OR claim_time IS NULL OR claim_time < NOW(3))
       ORDER BY collect_time LIMIT ${limit}`, // by_collect
      [State.PROCESSING],
    );
    const mine = rows.filter((row) => isMine(bigintOf(row.id)));
    const taken: Collected[] = [];
    for (const { id, handle, state } of mine) {
      const isDue = await db.exec(
        "UPDATE media SET state = ? WHERE id = ? AND collect_time <= NOW(3) AND (state <> ? OR claim_time IS NULL OR claim_time < NOW(3))", // PRIMARY
        [collected, bigintOf(id), State.PROCESSING],
      );
      // One that was taken before, by somebody who died over it, may not count as changed.
      if (isDue === 1 || Number(state) === collected) taken.push({ id: bigintOf(id), handle: String(handle) });
    }
    return taken;
  },

  /** Its bytes are gone, so it goes. */
  remove: (id: bigint): Promise<void> =>
    db.tx(async (tx) => {
      const [row] = await tx.query("SELECT owner_id, size_bytes FROM media WHERE id = ? AND state = ? FOR UPDATE", [
        id, // PRIMARY
        collected,
      ]);
      if (row === undefined) return;
      await tx.exec("DELETE FROM media_part WHERE media_id = ?", [id]); // PRIMARY
      await tx.exec("DELETE FROM media WHERE id = ?", [id]); // PRIMARY
      await releaseQuota(tx, bigintOf(row.owner_id), Number(row.size_bytes));
    }),
});
