import { Code, type ConnectError } from "@connectrpc/connect";
import { Kind, State } from "#gen/skein/media/v1/media_pb.ts";
import { invalid, problem } from "#lib/mesh/errors.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { columns, mediaOf, type StoredMedia } from "./media.ts";

/**
 * What is claimed and becomes nothing (its maker died and nobody tried again) is collected after this: far longer than facts
 * take to arrive, also after a bad day.
 */
const claimedSeconds = 604_800;

/** What media are claimed for, by whom, and what they must be where that is said. */
export type Claim = { readonly ownerId: bigint; readonly attachment: string; readonly kind: Kind };

/** How media become parts of something, and stop being so. */
export const attaching = (db: Statements) => ({
  /** Claims all of them for one thing, in the order asked; again for the same thing is the same as once. */
  attach: (ids: readonly bigint[], { ownerId, attachment, kind }: Claim): Promise<StoredMedia[]> =>
    db.tx(async (tx) => {
      const rows = await tx.query(`SELECT ${columns}, attachment FROM media WHERE id IN (?) ORDER BY id FOR UPDATE`, [
        ids, // PRIMARY
      ]);
      const found = new Map(rows.map((row) => [bigintOf(row.id), { row, media: mediaOf(row) }]));
      const wanted = ids.map((id) => {
        const { row, media } = found.get(id) ?? {};
        if (media === undefined || media.ownerId !== ownerId || media.state > State.FAILED) {
          throw invalid("media_ids", "must be of media of the viewer's own");
        }
        if (media.state !== State.READY) throw refused("media-not-ready", "must be ready");
        if (row?.attachment !== null && row?.attachment !== attachment) {
          throw refused("media-attached", "must belong to nothing else");
        }
        return media;
      });
      if (kind !== Kind.UNSPECIFIED && wanted.some((media) => media.kind !== kind)) {
        throw invalid("media_ids", "must be of the kind that is asked for");
      }
      if (wanted.length > 1 && wanted.some(({ kind }) => kind !== Kind.PHOTO)) {
        throw invalid("media_ids", "must be photos where they are several");
      }
      await tx.exec(
        "UPDATE media SET attachment = ?, collect_time = TIMESTAMPADD(SECOND, ?, NOW(3)) WHERE id IN (?) AND attachment IS NULL", // PRIMARY
        [attachment, claimedSeconds, ids],
      );
      return wanted;
    }),

  /** What was claimed is part of a post now, or of a comment under it, and stays. */
  confirm: async (tx: Sql, postId: bigint, ids: readonly bigint[], commentId?: bigint): Promise<void> => {
    if (ids.length === 0) return;
    await tx.exec(
      "UPDATE media SET post_id = ?, comment_id = ?, collect_time = NULL WHERE id IN (?) AND state = ? AND attachment IS NOT NULL", // PRIMARY
      [postId, commentId ?? null, ids, State.READY],
    );
  },

  /**
   * What a draft has: these stay, under its name, and what it had before is free for something else, and an orphan again. What has
   * become part of a post since is the post's, also where the fact is heard again.
   */
  hold: async (
    tx: Sql,
    { ownerId, attachment }: Omit<Claim, "kind">,
    ids: readonly bigint[],
    orphanSeconds: number,
  ): Promise<void> => {
    await tx.exec(
      `UPDATE media SET attachment = NULL, collect_time = TIMESTAMPADD(SECOND, ?, NOW(3))
       WHERE owner_id = ? AND attachment = ? AND post_id IS NULL AND id NOT IN (?)`, // by_owner
      [orphanSeconds, ownerId, attachment, [0n, ...ids]],
    );
    await tx.exec(
      `UPDATE media SET attachment = ?, collect_time = NULL WHERE id IN (?) AND owner_id = ? AND post_id IS NULL AND state = ?
       AND (attachment IS NULL OR attachment LIKE 'draft:%')`, // PRIMARY
      [attachment, [0n, ...ids], ownerId, State.READY],
    );
  },

  /** What a claim of somebody's came to: this one stays, and what stayed before it goes. 0 is none. */
  settle: async (tx: Sql, { ownerId, attachment }: Omit<Claim, "kind">, id: bigint): Promise<void> => {
    await tx.exec(
      "UPDATE media SET collect_time = NOW(3) WHERE owner_id = ? AND attachment = ? AND collect_time IS NULL AND id <> ?", // by_owner
      [ownerId, attachment, id],
    );
    await tx.exec("UPDATE media SET collect_time = NULL WHERE id = ? AND owner_id = ? AND attachment = ?", [
      id, // PRIMARY
      ownerId,
      attachment,
    ]);
  },

  /** A comment that is gone needs its pictures no more. */
  releaseComment: (tx: Sql, commentId: bigint): Promise<number> =>
    tx.exec("UPDATE media SET collect_time = NOW(3) WHERE comment_id = ?", [commentId]), // by_comment

  /** A post that is gone needs its media no more, nor those of what was said under it. */
  release: async (tx: Sql, postIds: readonly bigint[]): Promise<void> => {
    if (postIds.length === 0) return;
    await tx.exec("UPDATE media SET collect_time = NOW(3) WHERE post_id IN (?)", [postIds]); // by_post
  },
});

const refused = (reason: string, rule: string): ConnectError =>
  problem(Code.FailedPrecondition, reason, `media_ids ${rule}`, [{ field: "media_ids", rule }]);
