import { randomBytes } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type LinkPreview, LinkPreviewSchema } from "#gen/skein/media/v1/media_pb.ts";
import { newId } from "#lib/storage/id.ts";
import { hashOf } from "#lib/storage/idempotency.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";

/** A fetch that is not over by then was its process's last. */
const fetchingSeconds = 3_600;
/** What expired is kept so long for facts that are late: as what is claimed for a post is. */
const lateSeconds = 604_800;

/** What is known of an address: its preview, or why there is none; beside a preview, why it has no picture yet. */
export type KnownPreview = { readonly preview?: LinkPreview; readonly failure: string };

/** A fetch that is under way, and where its picture will be. */
export type Fetching = { readonly id: bigint; readonly handle: string };

/** The truth about previews. */
export const previewing = (db: Statements) => ({
  /** What is known of an address and is not too old; undefined where it is to be fetched. */
  async knownPreview(url: string): Promise<KnownPreview | undefined> {
    const [row] = await db.query(
      "SELECT preview, failure FROM link_preview WHERE url_hash = ? AND expire_time > NOW(3) ORDER BY expire_time DESC LIMIT 1", // by_url
      [hashOf(url)],
    );
    if (row === undefined) return undefined;
    const failure = String(row.failure);
    return row.preview === null
      ? { failure }
      : { preview: fromBinary(LinkPreviewSchema, row.preview as Buffer), failure };
  },

  /** Notes a fetch before anything of it is kept, so that whatever is put under its handle is collected if nobody ends it. */
  async beginPreview(url: string): Promise<Fetching> {
    const fetching = { id: newId(), handle: randomBytes(16).toString("base64url") };
    await db.exec(
      "INSERT INTO link_preview (id, url_hash, handle, expire_time, collect_time) VALUES (?, ?, ?, NOW(3), TIMESTAMPADD(SECOND, ?, NOW(3)))",
      [fetching.id, hashOf(url), fetching.handle, fetchingSeconds],
    );
    return fetching;
  },

  /** Keeps what a fetch came to, as an answer for so many seconds. */
  endPreview: ({ id }: Fetching, { preview, failure }: KnownPreview, seconds: number): Promise<number> =>
    db.exec(
      `UPDATE link_preview SET preview = ?, failure = ?, expire_time = TIMESTAMPADD(SECOND, ?, NOW(3)),
         collect_time = TIMESTAMPADD(SECOND, ?, NOW(3)) WHERE id = ?`, // PRIMARY
      [
        preview === undefined ? null : Buffer.from(toBinary(LinkPreviewSchema, preview)),
        failure,
        seconds,
        preview === undefined ? seconds : seconds + lateSeconds,
        id,
      ],
    ),

  /** A post shows this preview since a version of it, or none (0). What is older than what is known changes nothing. */
  async usePreview(tx: Sql, postId: bigint, previewId: bigint, version: bigint): Promise<void> {
    const [known] = await tx.query("SELECT preview_id, version FROM link_preview_use WHERE post_id = ? FOR UPDATE", [
      postId,
    ]); // PRIMARY
    if (known === undefined && previewId === 0n) return;
    if (known !== undefined && bigintOf(known.version) >= version) return;
    await tx.exec(
      `INSERT INTO link_preview_use (post_id, preview_id, version) VALUES (?, ?, ?)
       ON DUPLICATE KEY UPDATE preview_id = VALUES(preview_id), version = VALUES(version)`,
      [postId, previewId, version],
    );
    const before = known === undefined ? 0n : bigintOf(known.preview_id);
    if (before !== 0n && before !== previewId) await letGo(tx, before);
  },

  /** A post that is gone shows nothing. */
  async dropPreview(tx: Sql, postId: bigint): Promise<void> {
    const [known] = await tx.query("SELECT preview_id FROM link_preview_use WHERE post_id = ? FOR UPDATE", [postId]); // PRIMARY
    if (known === undefined) return;
    await tx.exec("DELETE FROM link_preview_use WHERE post_id = ?", [postId]); // PRIMARY
    await letGo(tx, bigintOf(known.preview_id));
  },

  /** Previews whose time has come and that no post shows; what one shows stays until it does no more. */
  async duePreviews(limit: number, isMine: (id: bigint) => boolean): Promise<Fetching[]> {
    const rows = await db.query(
      `SELECT id, handle FROM link_preview WHERE collect_time <= NOW(3) ORDER BY collect_time LIMIT ${limit}`, // by_collect
    );
    const due: Fetching[] = [];
    for (const { id, handle } of rows) {
      const fetching = { id: bigintOf(id), handle: String(handle) };
      if (isMine(fetching.id) && (await isLeft(db, fetching.id))) due.push(fetching);
    }
    return due;
  },

  /** Its picture is gone, so it goes. */
  removePreview: (id: bigint): Promise<number> => db.exec("DELETE FROM link_preview WHERE id = ?", [id]), // PRIMARY
});

/** Whether no post shows a preview; of one that is shown the time is put off for good. Whoever lets it go waits for this, and sets it again. */
const isLeft = (db: Statements, id: bigint): Promise<boolean> =>
  db.tx(async (tx) => {
    const [row] = await tx.query("SELECT id FROM link_preview WHERE id = ? AND collect_time <= NOW(3) FOR UPDATE", [
      id,
    ]); // PRIMARY
    if (row === undefined) return false;
    const [use] = await tx.query("SELECT post_id FROM link_preview_use WHERE preview_id = ? LIMIT 1", [id]); // by_preview
    if (use === undefined) return true;
    await tx.exec("UPDATE link_preview SET collect_time = NULL WHERE id = ?", [id]); // PRIMARY
    return false;
  });

const letGo = (tx: Sql, previewId: bigint): Promise<number> =>
  tx.exec(
    "UPDATE link_preview SET collect_time = GREATEST(NOW(3), TIMESTAMPADD(SECOND, ?, expire_time)) WHERE id = ?", // PRIMARY
    [lateSeconds, previewId],
  );
