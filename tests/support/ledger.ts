import { openMysql } from "#lib/storage/mysql.ts";
import { type Person, register } from "./person.ts";

/** A post whose create was acknowledged; `isLeaving` from its delete's sending on, `isGone` from the answer on. */
export type Post = {
  readonly id: string;
  readonly author: Person;
  readonly key: string;
  isLeaving: boolean;
  isGone: boolean;
};
/** Somebody's follow or like: on or off, by PUT and DELETE. `row` is how MySQL names it. */
type Switch = {
  readonly who: Person;
  readonly path: string;
  readonly row: string;
  isOn: boolean;
  isBusy: boolean;
  isUnknown: boolean;
};

/** What people were told, to be held against what MySQL says. */
export type Ledger = ReturnType<typeof ledgerOf>;

/** Some people; each follows the next for good, and the others now and then. */
export async function openLedger(edge: string, count: number): Promise<Ledger> {
  const people: Person[] = [];
  for (let nth = 0; nth < count; nth++) people.push(await register(edge));
  for (const [nth, person] of people.entries()) await person.follow(people[(nth + 1) % count] as Person);
  const anchors = await Promise.all(people.map((person) => person.post("stays, to be liked and commented on")));
  return ledgerOf(
    people,
    anchors.map(({ id }) => id),
  );
}

function ledgerOf(people: readonly Person[], anchors: readonly string[]) {
  const anyOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;
  const next = (person: Person) => people[(people.indexOf(person) + 1) % people.length] as Person;
  const off = { isOn: false, isBusy: false, isUnknown: false };
  const switches: Switch[] = people.flatMap((who) => [
    ...people
      .filter((whom) => whom !== who && whom !== next(who))
      .map(({ id }) => ({ who, path: `/v1/users/${id}/follow`, row: `${who.id} follows ${id}`, ...off })),
    ...anchors.map((id) => ({ who, path: `/v1/posts/${id}/like`, row: `${who.id} likes ${id}`, ...off })),
  ]);
  const comments = new Map<string, string>();
  const keys = new Set<string>();
  const posts: Post[] = [];
  const latest = new Map<Person, Post>();
  let standing = 0;
  return {
    people,
    anyone: () => anyOf(people),
    followedBy: next,
    latestOf: (author: Person) => latest.get(author),
    freeSwitch: () => anyOf(switches.filter(({ isBusy }) => !isBusy)),
    /** A post that nobody deletes. */
    anchor: () => anyOf(anchors),
    commented: (id: string, key: string) => void comments.set(id, key),
    /** Leaves the newest alone: they are what readers look for. */
    oldestStanding: () => (standing < posts.length - 2 * people.length ? posts[standing++] : undefined),
    wanted: (key: string) => void keys.add(key),
    created(post: Post) {
      posts.push(post);
      const known = latest.get(post.author);
      if (known === undefined || BigInt(post.id) > BigInt(known.id)) latest.set(post.author, post);
    },

    size: () => ({ keys: keys.size, posts: posts.length, comments: comments.size }),

    /** Lines that say what MySQL holds twice, not at all, or otherwise than its writer was told. */
    async differences(mysqlUrl: string): Promise<string[]> {
      const open = (noun: string) => openMysql({ url: mysqlUrl, database: `skein_${noun}` });
      const dbs = [open("post"), open("graph"), open("like"), open("comment")] as const;
      const [post, graph, like, comment] = dbs;
      const own = [people.map(({ id }) => id)];
      try {
        const rows = await post.query("SELECT id, text, deleted, author_id FROM post WHERE author_id IN (?)", own);
        const ids = new Map(rows.map((row) => [String(row.id), row]));
        // A deleted post keeps its text, which is its key.
        const twice = Map.groupBy(
          rows.filter(({ text }) => keys.has(String(text))),
          ({ text }) => String(text),
        );
        const on = new Set(
          (
            await Promise.all([
              graph.query(
                "SELECT CONCAT(follower_id, ' follows ', followee_id) AS name FROM follow WHERE following = 1 AND follower_id IN (?)",
                own,
              ),
              like.query(
                "SELECT CONCAT(user_id, ' likes ', subject_id) AS name FROM reaction WHERE reaction = 1 AND user_id IN (?)",
                own,
              ),
            ])
          )
            .flat()
            .map(({ name }) => String(name)),
        );
        const said = await comment.query("SELECT id, text FROM comment WHERE author_id IN (?)", own);
        const saidIds = new Set(said.map(({ id }) => String(id)));
        const saidTwice = Map.groupBy(said, ({ text }) => String(text));
        return [
          ...[...twice].filter(([, all]) => all.length > 1).map(([key, all]) => `${all.length} posts of key ${key}`),
          ...posts.flatMap(({ id, isGone, isLeaving }) => {
            const row = ids.get(id);
            if (row === undefined) return [`post ${id} was acknowledged and is not there`];
            const isDeleted = Number(row.deleted) === 1;
            if (isGone && !isDeleted) return [`post ${id} was deleted and is there`];
            return !isLeaving && isDeleted ? [`post ${id} is gone and nobody deleted it`] : [];
          }),
          ...[...saidTwice]
            .filter(([, all]) => all.length > 1)
            .map(([key, all]) => `${all.length} comments of key ${key}`),
          ...[...comments.keys()].filter((id) => !saidIds.has(id)).map((id) => `comment ${id} is not there`),
          ...switches
            .filter(({ isUnknown }) => !isUnknown)
            .filter(({ row, isOn }) => on.has(row) !== isOn)
            .map(({ row, isOn }) => `${row}: told ${isOn ? "yes" : "no"}, and it is not so`),
        ];
      } finally {
        await Promise.all(dbs.map((db) => db.close()));
      }
    },
  };
}
