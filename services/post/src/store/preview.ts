import { create } from "@bufbuild/protobuf";
import type { LinkPreview } from "#gen/skein/media/v1/media_pb.ts";
import { type PostContent, PostContentSchema } from "#gen/skein/post/v1/content_pb.ts";
import { append, type Origin } from "#lib/events/outbox.ts";
import { shards, shareOf } from "#lib/storage/id.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { type PostChange, postEdited } from "../events.ts";
import { contentBytes, mentionedBy } from "./content.ts";
import { namedBeside } from "./mention.ts";
import { quotedIn } from "./quote.ts";
import { type PostRow, postColumns, postOf } from "./row.ts";

type Linking = { readonly id: bigint; readonly content?: PostContent | undefined };

/** A post that waits for the preview of its link. */
export type PreviewTask = { readonly postId: bigint; readonly tries: number };

/** The link that a post has a preview of: the first in its text. */
export const firstLink = (content: PostContent | undefined): string | undefined => content?.facets?.links[0]?.url;

/** Notes that posts with a link are to get its preview, in the transaction that makes them public; without links it says nothing. */
export async function addPreviewTasks(tx: Sql, posts: readonly Linking[]): Promise<void> {
  const rows = posts.flatMap(({ id, content }) =>
    firstLink(content) === undefined ? [] : [[id, shareOf(id, shards), new Date()]],
  );
  if (rows.length === 0) return;
  await tx.exec(
    `INSERT INTO preview_task (post_id, shard, due_time) VALUES ? ON DUPLICATE KEY UPDATE due_time = VALUES(due_time), tries = 0`,
    [rows],
  );
}

/** A post that is deleted, or has another link, or none, gets no preview of the one it had. */
export async function removePreviewTask(tx: Sql, { id, content }: Linking): Promise<void> {
  if (firstLink(content) === undefined) return;
  await tx.exec("DELETE FROM preview_task WHERE post_id = ?", [id]); // PRIMARY
}

/** The truth about previews of links. */
export type PreviewStore = ReturnType<typeof previewStore>;

export const previewStore = (db: Statements) => ({
  /** Tasks of some shards that are due, the longest due first. */
  async due(of: readonly number[], time: Date, limit: number): Promise<PreviewTask[]> {
    if (of.length === 0) return [];
    const rows = await db.query(
      `SELECT post_id, tries FROM preview_task WHERE shard IN (?) AND due_time <= ? ORDER BY due_time LIMIT ${limit}`, // by_due
      [of, time],
    );
    return rows.map((row) => ({ postId: bigintOf(row.post_id), tries: Number(row.tries) }));
  },

  /** Takes a task: nobody else does before `until`, and if nobody is done by then, somebody does. False where it was taken. */
  async take({ postId, tries }: PreviewTask, until: Date): Promise<boolean> {
    const taken = await db.exec(
      "UPDATE preview_task SET tries = tries + 1, due_time = ? WHERE post_id = ? AND tries = ? AND due_time <= ?", // PRIMARY
      [until, postId, tries, new Date()],
    );
    return taken === 1;
  },

  /** Looks at a task that was taken again at a time; one that was made anew meanwhile is due as it is. */
  again: ({ postId, tries }: PreviewTask, time: Date): Promise<number> =>
    db.exec("UPDATE preview_task SET due_time = ? WHERE post_id = ? AND tries = ?", [time, postId, tries + 1]), // PRIMARY

  /** Ends a task that was taken; one that was made anew meanwhile stays. */
  end: ({ postId, tries }: PreviewTask): Promise<number> =>
    db.exec("DELETE FROM preview_task WHERE post_id = ? AND tries = ?", [postId, tries + 1]), // PRIMARY

  /** The link that a post is to get the preview of; undefined where there is nothing to do any more. */
  async link(postId: bigint): Promise<string | undefined> {
    const [row] = await db.query(`SELECT ${postColumns} FROM post WHERE id = ? AND deleted = 0`, [postId]); // PRIMARY
    const content = row && postOf(row).content;
    return content?.linkPreview?.image === undefined ? firstLink(content) : undefined;
  },

  /**
   * Gives a post the preview of a link, as a new version of it, once, and once more where that one had no picture and this one does;
   * undefined where there is nothing to change: the post is gone, has another first link, or has its preview. What it said is kept as
   * it was: no edit, so nothing of it goes into the history.
   */
  show: (postId: bigint, preview: LinkPreview, origin: Origin): Promise<PostChange | undefined> =>
    db.tx(async (tx) => {
      const [row] = await tx.query(`SELECT ${postColumns} FROM post WHERE id = ? FOR UPDATE`, [postId]); // PRIMARY
      const current = row && postOf(row);
      if (current === undefined || current.deleted || firstLink(current.content) !== preview.url) return undefined;
      const had = current.content?.linkPreview;
      if (had !== undefined && (had.image !== undefined || preview.image === undefined)) return undefined;
      const content = { ...(current.content ?? create(PostContentSchema)), linkPreview: preview };
      const version = current.version + 1;
      await tx.exec("UPDATE post SET version = ?, preview_version = ?, content = ? WHERE id = ?", [
        version,
        version,
        contentBytes(content),
        postId,
      ]);
      const change = await changeOf(tx, { ...current, version, content });
      await append(tx, [postEdited(change, origin, { content, byPreview: true })]);
      return change;
    }),
});

async function changeOf(tx: Sql, post: PostRow): Promise<PostChange> {
  const { id: postId, authorId, version, audience, replySetting, content, shares } = post;
  const mentionedIds = mentionedBy(await namedBeside(tx, postId), content);
  const quoted = (await quotedIn(tx, [post])).get(postId);
  return {
    postId,
    authorId,
    version,
    activityId: undefined,
    deleted: false,
    audience,
    mentionedIds,
    replySetting,
    quoted,
    shares,
  };
}
