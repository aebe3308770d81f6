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
type Pair = { readonly who: Person; readonly whom: Person; follows: boolean; isBusy: boolean; isUnknown: boolean };

/** What people were told, to be held against what MySQL says. */
export type Ledger = ReturnType<typeof ledgerOf>;

/** Some people; each follows the next for good, and the others now and then. */
export async function openLedger(edge: string, count: number): Promise<Ledger> {
  const people: Person[] = [];
  for (let nth = 0; nth < count; nth++) people.push(await register(edge));
  for (const [nth, person] of people.entries()) await person.follow(people[(nth + 1) % count] as Person);
  return ledgerOf(people);
}

function ledgerOf(people: readonly Person[]) {
  const anyOf = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T;
  const next = (person: Person) => people[(people.indexOf(person) + 1) % people.length] as Person;
  const pairs: Pair[] = people.flatMap((who) =>
    people
      .filter((whom) => whom !== who && whom !== next(who))
      .map((whom) => ({ who, whom, follows: false, isBusy: false, isUnknown: false })),
  );
  const keys = new Set<string>();
  const posts: Post[] = [];
  const latest = new Map<Person, Post>();
  let standing = 0;
  return {
    people,
    anyone: () => anyOf(people),
    followedBy: next,
    latestOf: (author: Person) => latest.get(author),
    freePair: () => anyOf(pairs.filter(({ isBusy }) => !isBusy)),
    /** Leaves the newest alone: they are what readers look for. */
    oldestStanding: () => (standing < posts.length - 2 * people.length ? posts[standing++] : undefined),
    wanted: (key: string) => void keys.add(key),
    created(post: Post) {
      posts.push(post);
      const known = latest.get(post.author);
      if (known === undefined || BigInt(post.id) > BigInt(known.id)) latest.set(post.author, post);
    },

    size: () => ({ keys: keys.size, posts: posts.length }),

    /** Lines that say what MySQL holds twice, not at all, or otherwise than its writer was told. */
    async differences(mysqlUrl: string): Promise<string[]> {
      const [post, graph] = ["skein_post", "skein_graph"].map((database) => openMysql({ url: mysqlUrl, database }));
      if (post === undefined || graph === undefined) throw new Error("no databases");
      try {
        const rows = await post.query("SELECT id, text, deleted, author_id FROM post WHERE author_id IN (?)", [
          people.map(({ id }) => id),
        ]);
        const ids = new Map(rows.map((row) => [String(row.id), row]));
        // A deleted post keeps its text, which is its key.
        const twice = Map.groupBy(
          rows.filter(({ text }) => keys.has(String(text))),
          ({ text }) => String(text),
        );
        const follows = await graph.query(
          "SELECT follower_id, followee_id FROM follow WHERE following = 1 AND follower_id IN (?)",
          [people.map(({ id }) => id)],
        );
        const following = new Set(follows.map((row) => `${row.follower_id} ${row.followee_id}`));
        return [
          ...[...twice].filter(([, all]) => all.length > 1).map(([key, all]) => `${all.length} posts of key ${key}`),
          ...posts.flatMap(({ id, isGone, isLeaving }) => {
            const row = ids.get(id);
            if (row === undefined) return [`post ${id} was acknowledged and is not there`];
            const isDeleted = Number(row.deleted) === 1;
            if (isGone && !isDeleted) return [`post ${id} was deleted and is there`];
            return !isLeaving && isDeleted ? [`post ${id} is gone and nobody deleted it`] : [];
          }),
          ...pairs
            .filter(({ isUnknown }) => !isUnknown)
            .filter(({ who, whom, follows: told }) => following.has(`${who.id} ${whom.id}`) !== told)
            .map(
              ({ who, whom, follows: told }) => `${who.id} ${told ? "follows" : "does not follow"} ${whom.id}: not so`,
            ),
        ];
      } finally {
        await Promise.all([post.close(), graph.close()]);
      }
    },
  };
}
