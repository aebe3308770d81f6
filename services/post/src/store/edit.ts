import { Code } from "@connectrpc/connect";
import { append, type Origin } from "#lib/events/outbox.ts";
import { notFound, problem } from "#lib/mesh/errors.ts";
import { isRepost, type Quoted } from "#lib/readmodel/card.ts";
import { bigintOf, type Sql, type Statements } from "#lib/storage/mysql.ts";
import { type PostChange, postEdited } from "../events.ts";
import { contentBytes, contentIn, isSame, mentionedBy, type Written } from "./content.ts";
import { namedBeside } from "./mention.ts";
import { addPreviewTasks, firstLink, removePreviewTask } from "./preview.ts";
import type { Publishing } from "./publish.ts";
import { quotedIn } from "./quote.ts";
import { type PostRow, postColumns, postOf } from "./row.ts";
import { addTags, removeTags } from "./tag.ts";

/** New content for a post: made from what stands, in the transaction that locks it. */
export type Edit = {
  readonly postId: bigint;
  readonly authorId: bigint;
  readonly ifVersion: number | undefined;
  readonly write: (current: Written) => Written;
};

export type Edited = {
  readonly post: PostRow & { readonly mentionedIds: readonly bigint[] };
  readonly change: PostChange;
};

/**
 * Gives an author's post new content, and keeps what it had as a version. What is there already is answered as it is, so
 * an edit that comes again is the same as once, whatever version it names.
 */
export const editPost = (db: Statements, edit: Edit, origin: Origin, { previews }: Publishing): Promise<Edited> =>
  db.tx(async (tx) => {
    const { postId, authorId, ifVersion, write } = edit;
    const [row] = await tx.query(`SELECT ${postColumns} FROM post WHERE id = ? FOR UPDATE`, [postId]); // PRIMARY
    if (row === undefined || bigintOf(row.author_id) !== authorId) throw notFound("post");
    const current = postOf(row);
    if (current.deleted || isRepost(current)) throw notFound("post");
    const next = write(current);
    const namedIds = await namedBeside(tx, postId);
    const quoted = (await quotedIn(tx, [current])).get(postId);
    if (isSame(current, next)) return editedOf(current, mentionedBy(namedIds, current.content), quoted);
    if (ifVersion !== undefined && ifVersion !== current.version && ifVersion !== wordsBefore(current)) {
      throw problem(Code.Aborted, "version-conflict", `the post is in version ${current.version}`, [
        { field: "if_version", rule: "must be the version that stands" },
      ]);
    }
    const editTime = new Date();
    const post = { ...current, ...next, version: current.version + 1, editTime };
    await replace(tx, current, post);
    const edited = editedOf(post, mentionedBy(namedIds, next.content), quoted);
    await nameAgain(tx, postId, namedIds, edited.change.mentionedIds);
    await removeTags(tx, current);
    await addTags(tx, [post]);
    if (firstLink(current.content) !== firstLink(next.content)) {
      await removePreviewTask(tx, current);
      if (previews) await addPreviewTasks(tx, [post]);
    }
    await append(tx, [postEdited(edited.change, origin, post)]);
    return edited;
  });

/** The version before the one that a preview made: who saw that one read the same words. */
const wordsBefore = ({ version, previewVersion }: PostRow): number | undefined =>
  previewVersion === version ? version - 1 : undefined;

async function replace(tx: Sql, current: PostRow, { id, version, text, content, editTime }: PostRow): Promise<void> {
  await tx.exec("INSERT INTO post_version (post_id, version, text, content, create_time) VALUES (?, ?, ?, ?, ?)", [
    id,
    current.version,
    current.text,
    contentBytes(current.content),
    current.editTime ?? current.createTime,
  ]);
  await tx.exec("UPDATE post SET version = ?, text = ?, content = ?, edit_time = ? WHERE id = ?", [
    version,
    text,
    contentBytes(content),
    editTime ?? null,
    id,
  ]);
}

async function nameAgain(
  tx: Sql,
  postId: bigint,
  namedIds: readonly bigint[],
  mentionedIds: readonly bigint[],
): Promise<void> {
  await tx.exec("DELETE FROM post_mention WHERE post_id = ? AND named = 0", [postId]);
  const found = mentionedIds.filter((id) => !namedIds.includes(id)).map((id) => [postId, id, 0]);
  if (found.length > 0) await tx.exec("INSERT INTO post_mention (post_id, user_id, named) VALUES ?", [found]);
}

const editedOf = (post: PostRow, mentionedIds: readonly bigint[], quoted: Quoted | undefined): Edited => ({
  post: { ...post, mentionedIds },
  change: {
    postId: post.id,
    authorId: post.authorId,
    version: post.version,
    activityId: undefined,
    deleted: false,
    audience: post.audience,
    mentionedIds,
    replySetting: post.replySetting,
    quoted,
    shares: post.shares,
  },
});

/** One version of a post. */
export type Version = Written & { readonly version: number; readonly createTime: Date };

/** Versions that are no more, below one, newest first. */
export async function formerVersions(db: Statements, postId: bigint, below: number, limit: number): Promise<Version[]> {
  const rows = await db.query(
    `SELECT version, text, content, create_time FROM post_version WHERE post_id = ? AND version < ? ORDER BY version DESC LIMIT ${limit}`, // PRIMARY
    [postId, below],
  );
  return rows.map((row) => ({
    version: Number(row.version),
    text: String(row.text),
    content: contentIn(row.content),
    createTime: row.create_time as Date,
  }));
}
