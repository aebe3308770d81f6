import { SubjectKind } from "#gen/skein/like/v1/like_pb.ts";
import { createLog } from "#lib/mesh/log.ts";
import { accountMarks, encodeAccountMark } from "#lib/readmodel/account.ts";
import { authorVersions, encodeAuthorVersion } from "#lib/readmodel/author-version.ts";
import { cards, encodeCard } from "#lib/readmodel/card.ts";
import { type Count, commentCounts, encodeCount, likeCounts } from "#lib/readmodel/count.ts";
import {
  authorTimelines,
  followSets,
  homeTimelines,
  ownSets,
  reactedSets,
  readModelScripts,
  tieSets,
  tiesMax,
} from "#lib/readmodel/families.ts";
import { generationScripts } from "#lib/readmodel/generation.ts";
import { bigintOf, type Db, openMysql } from "#lib/storage/mysql.ts";
import { openRedis } from "#lib/storage/redis.ts";
import { commentStore } from "../../services/comment/src/store.ts";
import { graphStore } from "../../services/graph/src/store.ts";
import { likeStore } from "../../services/like/src/store.ts";
import { ownSet } from "../../services/post/src/store/own.ts";
import { postStore } from "../../services/post/src/store.ts";
import { userStore } from "../../services/user/src/store.ts";
import type { Stores } from "../stores.ts";
import { setRebuild } from "./sets.ts";
import type { Tally } from "./tally.ts";
import { timelineRebuild } from "./timelines.ts";
import { valueRebuild } from "./values.ts";

export const familyNames = [
  "tl",
  "tla",
  "card",
  "cnt.like",
  "cnt.comment",
  "uver",
  "acct",
  "rel",
  "ties",
  "reacted",
  "own",
] as const;
export type FamilyName = (typeof familyNames)[number];

/** A key family as a rebuild walks it: by the ids of owners, as MySQL has them. */
export type Family = {
  /** About how many owners there are. */
  readonly total: () => Promise<number>;
  /** The next owners by ascending id. */
  readonly owners: (after: bigint, limit: number) => Promise<bigint[]>;
  /** A person's: one, or their posts. */
  readonly ofUser: (userId: bigint) => Promise<bigint[]>;
  readonly rebuild: (ids: readonly bigint[]) => Promise<Tally>;
};

/** A set of reactions, or of a viewer's own, is built from as many as its owner builds it from. */
const reactedMax = 2_000;
/** The first connection to Redis may take as long. */
const redisMs = 5_000;

export type Families = Awaited<ReturnType<typeof openFamilies>>;

/** Every key family, with truth as its owner reads it. */
export async function openFamilies({ mysqlUrl, redisUrl, deployment }: Omit<Stores, "dir">) {
  const open = (noun: string) => openMysql({ url: mysqlUrl, database: `${deployment}_${noun}` });
  const [graph, user, post, like, comment] = ["graph", "user", "post", "like", "comment"].map(open) as [
    Db,
    Db,
    Db,
    Db,
    Db,
  ];
  const log = createLog({ name: "rebuild", level: "error", write: (line) => process.stderr.write(line) });
  const redis = openRedis({ url: redisUrl, deployment, scripts: [...readModelScripts, ...generationScripts], log });
  const accounts = walk(graph, "account", "user_id");
  const posts = {
    ...walk(post, "post", "id"),
    ofUser: async (userId: bigint) =>
      (await post.query("SELECT activity_id FROM activity WHERE author_id = ?", [userId])).map((row) =>
        bigintOf(row.activity_id),
      ),
  };
  const [graphs, users, postsOf] = [graphStore(graph), userStore(user), postStore(post)];
  const [likes, comments] = [likeStore(like), commentStore(comment)];

  const families: Readonly<Record<FamilyName, Family>> = {
    tl: { ...accounts, rebuild: timelineRebuild({ redis, post, keyOf: homeTimelines.keyOf, authorsOf: homes(graph) }) },
    tla: {
      ...accounts,
      rebuild: timelineRebuild({ redis, post, keyOf: authorTimelines.keyOf, authorsOf: themselves }),
    },
    card: {
      ...posts,
      rebuild: valueRebuild({
        redis,
        keyOf: cards.keyOf,
        truth: async (ids) => mapped(await postsOf.byIds(ids), encodeCard),
      }),
    },
    "cnt.like": {
      ...posts,
      rebuild: valueRebuild({
        redis,
        keyOf: likeCounts.keyOf,
        truth: async (ids) => counted(ids, await likes.counts(SubjectKind.POST, ids)),
      }),
    },
    "cnt.comment": {
      ...posts,
      rebuild: valueRebuild({
        redis,
        keyOf: commentCounts.keyOf,
        truth: async (ids) => counted(ids, await comments.counts(ids)),
      }),
    },
    uver: {
      ...walk(user, "user", "id"),
      rebuild: valueRebuild({
        redis,
        keyOf: authorVersions.keyOf,
        truth: async (ids) => mapped(await users.byIds(ids), ({ version }) => encodeAuthorVersion(version)),
      }),
    },
    acct: {
      ...accounts,
      rebuild: valueRebuild({
        redis,
        keyOf: accountMarks.keyOf,
        truth: async (ids) =>
          mapped(await graphs.accounts(ids), (account) =>
            encodeAccountMark({ ...account, version: Number(account.version) }),
          ),
      }),
    },
    rel: {
      ...accounts,
      rebuild: setRebuild({
        redis,
        family: followSets,
        truth: async (id) => {
          const { version, followeeIds } = await graphs.followSet(id);
          return { version, lowWatermark: 0n, ids: followeeIds };
        },
      }),
    },
    ties: {
      ...accounts,
      rebuild: setRebuild({
        redis,
        family: tieSets,
        truth: async (id) => {
          const { version, members } = await graphs.tieSet(id, tiesMax);
          return { version, lowWatermark: 0n, ids: members };
        },
      }),
    },
    reacted: {
      ...walk(like, "liker", "user_id"),
      rebuild: setRebuild({
        redis,
        family: reactedSets,
        truth: async (id) => {
          const { own, ...state } = await likes.reactedSet(id, SubjectKind.POST, reactedMax);
          return { ...state, ids: own };
        },
      }),
    },
    own: {
      ...walk(post, "saver", "user_id"),
      rebuild: setRebuild({
        redis,
        family: ownSets,
        truth: async (id) => {
          const { own, ...state } = await ownSet(post, id, reactedMax);
          return { ...state, ids: own };
        },
      }),
    },
  };

  const deadline = Date.now() + redisMs;
  while (
    !(await redis.ping().then(
      () => true,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new Error(`no Redis answers at ${new URL(redisUrl).host}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return {
    families,
    close: async (): Promise<void> => {
      redis.close();
      await Promise.all([graph, user, post, like, comment].map((db) => db.close()));
    },
  };
}

/** The ids of a table, in order. */
const walk = (db: Db, table: string, column: string) => ({
  total: async () => Number((await db.query(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.n),
  owners: async (after: bigint, limit: number) =>
    (
      await db.query(`SELECT ${column} AS id FROM ${table} WHERE ${column} > ? ORDER BY ${column} LIMIT ${limit}`, [
        after,
      ])
    ) // PRIMARY
      .map((row) => bigintOf(row.id)),
  ofUser: async (userId: bigint) => [userId],
});

/** Whom viewers follow, with the version of that, as of one statement's moment; themselves are among them. */
const homes = (graph: Db) => async (ownerIds: readonly bigint[]) => {
  const rows = await graph.query(
    "SELECT a.user_id, a.follow_version, f.followee_id FROM account a LEFT JOIN follow f ON f.follower_id = a.user_id AND f.following = 1 WHERE a.user_id IN (?)", // PRIMARY, latest
    [ownerIds],
  );
  const found = new Map<bigint, { version: bigint; ids: bigint[] }>();
  for (const row of rows) {
    const ownerId = bigintOf(row.user_id);
    const known = found.get(ownerId) ?? { version: bigintOf(row.follow_version), ids: [ownerId] };
    if (row.followee_id !== null) known.ids.push(bigintOf(row.followee_id));
    found.set(ownerId, known);
  }
  return found;
};

/** An author's timeline is their own, whatever they follow. */
const themselves = async (ownerIds: readonly bigint[]) =>
  new Map(ownerIds.map((ownerId) => [ownerId, { version: 0n, ids: [ownerId] }]));

const mapped = <T>(found: ReadonlyMap<bigint, T>, encode: (value: T) => Buffer): Map<bigint, Buffer> =>
  new Map([...found].map(([id, value]) => [id, encode(value)]));

/** What was never counted is 0. */
const counted = (ids: readonly bigint[], found: ReadonlyMap<bigint, Count>): Map<bigint, Buffer> =>
  new Map(ids.map((id) => [id, encodeCount(found.get(id) ?? { version: 0, value: 0 })]));
