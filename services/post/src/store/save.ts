import { Code } from "@connectrpc/connect";
import { append, type Origin } from "#lib/events/outbox.ts";
import { tellPending } from "#lib/events/pending.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { newId } from "#lib/storage/id.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { saveChanged, saveName } from "../events/save.ts";
import { hasReposted, lockSaver, markOf, type OwnChange } from "./own.ts";

/** Posts one person keeps: some for each day of thirty years. */
const savesMax = 10_000;

/** One kept post of a list: its place is the sort key, latest first. */
export type KeptPost = { readonly place: bigint; readonly postId: bigint };

type Wish = {
  readonly userId: bigint;
  readonly postId: bigint;
  readonly saved: boolean;
  /** 0: in none. */
  readonly collectionId: bigint;
};

/** The truth about what people keep. */
export type SaveStore = ReturnType<typeof saveStore>;

export function saveStore(db: Statements) {
  return {
    /**
     * Keeps a post, in a collection or in none, or keeps it no longer. NOT_FOUND: no such collection of theirs.
     * Answers what the post is to them now; undefined where it was so already. FAILED_PRECONDITION: they keep 10,000.
     */
    set: (wish: Wish, origin: Origin): Promise<OwnChange | undefined> => db.tx((tx) => change(tx, wish, origin)),

    /** Whether a person ever kept a post, also where they let it go. */
    async hasSaved(userId: bigint, postId: bigint): Promise<boolean> {
      const found = await db.query("SELECT 1 FROM save WHERE user_id = ? AND post_id = ?", [userId, postId]); // PRIMARY
      return found.length > 0;
    },

    /** What a person keeps, in one collection or all (0), latest saved first. */
    async list(userId: bigint, collectionId: bigint, before: bigint | undefined, limit: number): Promise<KeptPost[]> {
      const below = before === undefined ? "" : `AND save_id < ${before}`;
      const within = collectionId === 0n ? "" : `AND collection_id = ${collectionId}`;
      const rows = await db.query(
        `SELECT save_id, post_id FROM save WHERE user_id = ? ${within} AND saved = 1 ${below} ORDER BY save_id DESC LIMIT ${limit}`, // latest, in_collection
        [userId],
      );
      return rows.map((row) => ({ place: bigintOf(row.save_id), postId: bigintOf(row.post_id) }));
    },
  };
}

async function change(
  tx: Sql,
  { userId, postId, saved, collectionId }: Wish,
  origin: Origin,
): Promise<OwnChange | undefined> {
  const saver = await lockSaver(tx, userId);
  if (collectionId !== 0n) {
    const found = await tx.query("SELECT 1 FROM collection WHERE user_id = ? AND collection_id = ?", [
      userId,
      collectionId,
    ]); // PRIMARY
    if (found.length === 0) throw notFound("collection");
  }
  const [row] = await tx.query("SELECT saved, collection_id, version FROM save WHERE user_id = ? AND post_id = ?", [
    userId,
    postId,
  ]); // PRIMARY
  const was = Number(row?.saved ?? 0) === 1;
  if (was === saved && (!saved || bigintOf(row?.collection_id) === collectionId)) {
    await tellPending(tx, saveName(userId, postId), userId, origin);
    return undefined;
  }
  if (saved && !was && saver.count >= savesMax) {
    throw problem(Code.FailedPrecondition, "save-limit", `${savesMax} saved posts reached`);
  }
  const version = bigintOf(row?.version) + 1n;
  await tx.exec(
    "INSERT INTO save (user_id, post_id, saved, collection_id, save_id, version) VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE saved = VALUES(saved), collection_id = VALUES(collection_id), save_id = VALUES(save_id), version = VALUES(version)",
    [userId, postId, Number(saved), collectionId, newId(), version],
  );
  const by = Number(saved) - Number(was);
  await tx.exec("UPDATE saver SET save_version = ?, save_count = ? WHERE user_id = ?", [
    saver.version + 1n,
    saver.count + by,
    userId,
  ]);
  await append(tx, [saveChanged({ userId, postId, saved, collectionId, version, by }, origin)]);
  const mark = markOf(saved, await hasReposted(tx, userId, postId));
  return { userId, postId, mark, version: saver.version + 1n };
}
