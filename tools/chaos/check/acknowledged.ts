import { Reaction } from "#gen/skein/like/v1/like_pb.ts";
import type { Row } from "#lib/storage/mysql.ts";
import type { Entry, SwitchKind } from "../journal.ts";
import type { Finding, Truth } from "./truth.ts";

/** A statement asks for this many rows. */
const idsMax = 5_000;

/** Holds the journal to MySQL: every acknowledged write is there, once, and as its writer was told. */
export async function checkAcknowledged(journal: readonly Entry[], truth: Truth): Promise<Finding[]> {
  return [
    ...(await checkPosts(journal, truth)),
    ...(await checkComments(journal, truth)),
    ...(await checkPositions(journal, truth)),
    ...(await checkSwitches(journal, truth)),
  ];
}

const lost = (text: string): Finding => ({ kind: "lost", text });

async function checkPosts(journal: readonly Entry[], { post }: Truth): Promise<Finding[]> {
  const created = journal.filter((entry) => entry.what === "post");
  const edits = new Map(journal.filter((entry) => entry.what === "edit").map((entry) => [entry.id, entry.version]));
  const deletes = new Map(journal.filter((entry) => entry.what === "delete").map((entry) => [entry.id, entry]));
  const rows = await rowsOf(
    created,
    ({ author }) => author,
    (authors) => post.query("SELECT id, text, version, deleted FROM post WHERE author_id IN (?)", [authors]),
  );
  const byId = new Map(rows.map((row) => [String(row.id), row]));
  const found = created.flatMap(({ id }) => {
    const row = byId.get(id);
    if (row === undefined) return [lost(`post ${id} was acknowledged and is not there`)];
    const edited = edits.get(id) ?? 1;
    if (Number(row.version) < edited)
      return [lost(`version ${edited} of post ${id} was acknowledged and is not there`)];
    const isDeleted = Number(row.deleted) === 1;
    const deleting = deletes.get(id);
    if (deleting?.isAcknowledged && !isDeleted) return [lost(`post ${id} was deleted and is there`)];
    return deleting === undefined && isDeleted ? [lost(`post ${id} is gone and nobody deleted it`)] : [];
  });
  return [...found, ...twice("post", rows)];
}

async function checkComments(journal: readonly Entry[], { comment }: Truth): Promise<Finding[]> {
  const created = journal.filter((entry) => entry.what === "comment");
  const rows = await rowsOf(
    created,
    ({ author }) => author,
    (authors) => comment.query("SELECT id, text FROM comment WHERE author_id IN (?)", [authors]),
  );
  const ids = new Set(rows.map(({ id }) => String(id)));
  const missing = created.filter(({ id }) => !ids.has(id));
  return [
    ...missing.map(({ id }) => lost(`comment ${id} was acknowledged and is not there`)),
    ...twice("comment", rows),
  ];
}

/**
 * Every text of a run is the key of its create, so two rows of one text are one create done twice. Reposts have none: that there is one
 * of a person and post, their primary key says.
 */
function twice(what: string, rows: readonly Row[]): Finding[] {
  const seen = Map.groupBy(rows, ({ text }) => String(text));
  return [...seen]
    .filter(([text, same]) => text !== "" && same.length > 1)
    .map(([key, same]) => ({ kind: "doubled", text: `${same.length} rows of the ${what} of key ${key}` }));
}

/** A read position is never behind one that was acknowledged. */
async function checkPositions(journal: readonly Entry[], { feed }: Truth): Promise<Finding[]> {
  const said = journal.filter((entry) => entry.what === "position");
  const rows = await rowsOf(
    said,
    ({ who }) => who,
    (ids) => feed.query("SELECT viewer_id, activity_id FROM read_position WHERE viewer_id IN (?)", [ids]),
  );
  const stands = new Map(rows.map((row) => [String(row.viewer_id), String(row.activity_id)]));
  const newest = new Map<string, string>();
  for (const { who, at } of said) if (BigInt(at) > BigInt(newest.get(who) ?? 0)) newest.set(who, at);
  return [...newest]
    .filter(([who, at]) => BigInt(stands.get(who) ?? 0) < BigInt(at))
    .map(([who, at]) =>
      lost(`the read position of ${who} was acknowledged at ${at} and is at ${stands.get(who) ?? 0}`),
    );
}

/** A switch is as the last acknowledged write says, unless a later one was not acknowledged: then nobody was told. */
async function checkSwitches(journal: readonly Entry[], { graph, like, post }: Truth): Promise<Finding[]> {
  const last = new Map<string, Entry & { what: SwitchKind }>();
  for (const entry of journal) if ("whom" in entry) last.set(`${entry.who} ${entry.what} ${entry.whom}`, entry);
  const of = [...last.values()];
  const whose = (entry: { who: string }) => entry.who;
  const [follows, reactions, saves, reposts] = await Promise.all([
    rowsOf(of, whose, (ids) =>
      graph.query(
        "SELECT follower_id AS who, followee_id AS whom FROM follow WHERE following = 1 AND follower_id IN (?)",
        [ids],
      ),
    ),
    rowsOf(of, whose, (ids) =>
      like.query(
        "SELECT user_id AS who, subject_id AS whom, reaction FROM reaction WHERE reaction > 0 AND user_id IN (?)",
        [ids],
      ),
    ),
    rowsOf(of, whose, (ids) =>
      post.query("SELECT user_id AS who, post_id AS whom FROM save WHERE saved = 1 AND user_id IN (?)", [ids]),
    ),
    rowsOf(of, whose, (ids) =>
      post.query("SELECT user_id AS who, post_id AS whom FROM repost WHERE ended = 0 AND user_id IN (?)", [ids]),
    ),
  ]);
  const on = new Set([
    ...follows.map(({ who, whom }) => `${who} follow ${whom}`),
    ...reactions.map(
      ({ who, whom, reaction }) => `${who} ${Number(reaction) === Reaction.LIKE ? "like" : "love"} ${whom}`,
    ),
    ...saves.map(({ who, whom }) => `${who} save ${whom}`),
    ...reposts.map(({ who, whom }) => `${who} repost ${whom}`),
  ]);
  return [...last]
    .filter(([name, { isAcknowledged, isOn }]) => isAcknowledged && on.has(name) !== isOn)
    .map(([name, { isOn }]) => lost(`${name}: acknowledged as ${isOn ? "set" : "taken back"}, and it is not so`));
}

async function rowsOf<T>(
  of: readonly T[],
  idOf: (one: T) => string,
  query: (ids: readonly string[]) => Promise<Row[]>,
): Promise<Row[]> {
  const ids = [...new Set(of.map(idOf))];
  const rows: Row[] = [];
  for (let at = 0; at < ids.length; at += idsMax) rows.push(...(await query(ids.slice(at, at + idsMax))));
  return rows;
}
