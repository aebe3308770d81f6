import type { Entry } from "../journal.ts";
import type { Finding, Truth } from "./truth.ts";

/** Authors of one statement; a run has at most 50. */
const authorsMax = 5_000;

/**
 * Every acknowledged draft is kept or public, never both and never neither, and public once it was due. That it is public once, the
 * check of posts says. Nobody edits what became public by itself; of what its author published, the journal has the post.
 */
export async function checkDrafts(journal: readonly Entry[], { post }: Truth): Promise<Finding[]> {
  const drafts = journal.filter((entry) => entry.what === "draft");
  const authors = [...new Set(drafts.map(({ author }) => author))].slice(0, authorsMax);
  if (authors.length === 0) return [];
  const [kept, posts] = await Promise.all([
    post.query("SELECT draft_id FROM draft WHERE author_id IN (?)", [authors]), // PRIMARY
    post.query("SELECT text FROM post WHERE author_id IN (?)", [authors]),
  ]);
  const keptIds = new Set(kept.map((row) => String(row.draft_id)));
  const texts = new Set(posts.map((row) => String(row.text)));
  const published = new Set(journal.flatMap((entry) => (entry.what === "post" ? [entry.key] : [])));
  return drafts.flatMap(({ id, key, dueTime }): Finding[] => {
    const isPublic = published.has(key) || texts.has(key);
    if (isPublic && keptIds.has(id)) return [{ kind: "doubled", text: `draft ${id} is public, and kept` }];
    if (isPublic) return [];
    if (!keptIds.has(id))
      return [{ kind: "lost", text: `draft ${id} was acknowledged, and is neither kept nor public` }];
    if (dueTime === undefined) return [];
    return [{ kind: "stale", text: `draft ${id} is not public yet, and due at ${new Date(dueTime).toISOString()}` }];
  });
}
