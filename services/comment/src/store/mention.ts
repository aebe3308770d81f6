import type { Facets } from "#gen/skein/text/v1/text_pb.ts";
import type { Sql } from "#lib/storage/mysql.ts";

type Naming = { readonly id: bigint; readonly facets: Facets | undefined };

const namedIn = ({ facets }: Naming): bigint[] => [...new Set(facets?.mentions.map(({ userId }) => userId))];

/** Keeps whom new comments name; most name nobody, and cost nothing. */
export async function keepMentions(tx: Sql, comments: readonly Naming[]): Promise<void> {
  const rows = comments.flatMap((comment) => namedIn(comment).map((userId) => [userId, comment.id]));
  if (rows.length > 0) await tx.exec("INSERT INTO comment_mention (user_id, comment_id) VALUES ?", [rows]);
}

/** The same for a comment whose text is another now. */
export async function changeMentions(tx: Sql, before: Naming, after: Naming): Promise<void> {
  if (namedIn(before).length > 0) await tx.exec("DELETE FROM comment_mention WHERE comment_id = ?", [before.id]); // by_comment
  await keepMentions(tx, [after]);
}
