import { randomBytes } from "node:crypto";
import { Code } from "@connectrpc/connect";
import { State } from "#gen/skein/media/v1/media_pb.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId } from "#lib/storage/id.ts";
import { type Keyed, keyRow, madeUnder } from "#lib/storage/idempotency.ts";
import { isDuplicate, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { attaching } from "./store/attach.ts";
import { collecting } from "./store/collect.ts";
import { collected, columns, mediaOf, type StoredMedia } from "./store/media.ts";
import { previewing } from "./store/preview.ts";
import { type Quota, takeQuota } from "./store/quota.ts";
import { working } from "./store/work.ts";

export type NewMedia = Pick<StoredMedia, "ownerId" | "kind" | "sizeBytes" | "alt"> & { readonly key: string };

/** A part of an upload: bytes from `start` on, in an object of its own. */
export type Part = { readonly start: number; readonly sizeBytes: number; readonly object: string };

/** The truth about media. */
export type MediaStore = ReturnType<typeof mediaStore>;

type Limits = Quota & { readonly orphanSeconds: number };

export function mediaStore(db: Statements, limits: Limits) {
  const byId = async (id: bigint): Promise<StoredMedia | undefined> => {
    const [row] = await db.query(`SELECT ${columns} FROM media WHERE id = ?`, [id]); // PRIMARY
    const media = row && mediaOf(row);
    return media?.state === collected ? undefined : media;
  };

  return {
    byId,

    /** Announces an upload once for its key. Answers what stands, and whether it stood before. */
    async create(wanted: NewMedia, mustBeWanted = () => {}): Promise<{ media: StoredMedia; replayed: boolean }> {
      const id = newId();
      try {
        await db.tx(async (tx) => {
          await announce(tx, id, wanted, limits);
          mustBeWanted();
        });
      } catch (reason) {
        if (!isDuplicate(reason)) throw reason;
        const media = await byId(await madeUnder(db, asked(wanted), "media_id"));
        if (media === undefined) throw notFound("media");
        return { media, replayed: true };
      }
      return { media: (await byId(id)) as StoredMedia, replayed: false };
    },

    parts: async (mediaId: bigint): Promise<Part[]> => {
      const rows = await db.query(
        "SELECT start, size_bytes, object FROM media_part WHERE media_id = ? ORDER BY start",
        [
          mediaId, // PRIMARY
        ],
      );
      return rows.map((row) => ({
        start: Number(row.start),
        sizeBytes: Number(row.size_bytes),
        object: String(row.object),
      }));
    },

    /** Adds a part where the last one ended; the last of all makes it ready to be processed. False where it belongs elsewhere. */
    addPart: ({ id, sizeBytes: whole }: StoredMedia, { start, sizeBytes, object }: Part): Promise<boolean> =>
      db.tx(async (tx) => {
        const received = start + sizeBytes;
        const state = received === whole ? State.PROCESSING : State.UPLOADING;
        const isNext = await tx.exec(
          "UPDATE media SET received_bytes = ?, state = ? WHERE id = ? AND state = ? AND received_bytes = ?", // PRIMARY
          [received, state, id, State.UPLOADING, start],
        );
        if (isNext === 0) return false;
        await tx.exec("INSERT INTO media_part (media_id, start, size_bytes, object) VALUES ?", [
          [[id, start, sizeBytes, object]],
        ]);
        return true;
      }),

    ...attaching(db),
    ...collecting(db),
    ...previewing(db),
    ...working(db),
  };
}

async function announce(tx: Sql, id: bigint, wanted: NewMedia, limits: Limits): Promise<void> {
  const { ownerId, kind, sizeBytes, alt } = wanted;
  await tx.exec("INSERT INTO idempotency (user_id, key_hash, request_hash, media_id) VALUES ?", [
    [keyRow(asked(wanted), id)],
  ]);
  const over = await takeQuota(tx, ownerId, sizeBytes, limits);
  if (over !== undefined) throw problem(Code.ResourceExhausted, "quota-exceeded", over);
  const handle = randomBytes(16).toString("base64url");
  await tx.exec(
    `INSERT INTO media (id, owner_id, handle, kind, state, size_bytes, alt, collect_time)
     VALUES (?, ?, ?, ?, ?, ?, ?, TIMESTAMPADD(SECOND, ?, NOW(3)))`,
    [id, ownerId, handle, kind, State.UPLOADING, sizeBytes, alt, limits.orphanSeconds],
  );
}

/** The whole request as its key remembers it. */
const asked = ({ ownerId, key, kind, sizeBytes, alt }: NewMedia): Keyed => ({
  authorId: ownerId,
  key,
  text: `${kind} ${sizeBytes}\n${alt}`,
});
