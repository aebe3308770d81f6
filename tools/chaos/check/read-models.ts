import { isDeepStrictEqual } from "node:util";
import { createLog } from "#lib/mesh/log.ts";
import { type Card, cards, decodeCard, type ShareCounts } from "#lib/readmodel/card.ts";
import { commentCounts, decodeCount, likeCounts } from "#lib/readmodel/count.ts";
import { bigintOf } from "#lib/storage/mysql.ts";
import { openRedis, type Redis } from "#lib/storage/redis.ts";
import type { Person } from "../../../tests/support/person.ts";
import type { Oracle } from "../../oracle.ts";
import type { Finding, Truth } from "./truth.ts";

/** Keys of one round trip. */
const keysMax = 1_000;
/** The whole feed is read in pages of the greatest size. */
const pageSize = 100;
/** A client of Redis is trusted a moment after it is connected. */
const reachMs = 10_000;
const againMs = 50;

type World = {
  readonly truth: Truth;
  readonly oracle: Oracle;
  readonly redis: Redis;
  readonly people: readonly Person[];
};

/** Redis as the services see it, ready to be read. */
export async function openReadModels({ url, deployment }: { url: string; deployment: string }): Promise<Redis> {
  const log = createLog({ name: "chaos", level: "error", write: () => undefined });
  const redis = openRedis({ url, deployment, scripts: [], log });
  for (const deadline = Date.now() + reachMs; ; await new Promise((again) => setTimeout(again, againMs))) {
    try {
      await redis.ping();
      return redis;
    } catch (reason) {
      if (Date.now() < deadline) continue;
      redis.close();
      throw reason;
    }
  }
}

/** Holds what people are shown, and what Redis has of it, to the oracle. A key that is missing is not stale. */
export async function checkReadModels(world: World): Promise<Finding[]> {
  const found = [...(await checkCards(world)), ...(await checkCounts(world))];
  for (const person of world.people) found.push(...(await checkPerson(world, person)));
  return found.map((text) => ({ kind: "stale", text }));
}

async function checkCards({ truth, redis }: World): Promise<string[]> {
  const rows = await truth.post.query(
    `SELECT id, version, post.author_id, deleted, audience, reply_setting, repost_count, quote_count, save_count, IF(detached, 0, quoted_id) quoted_id
     FROM post LEFT JOIN quote ON quote_id = id`,
  );
  const kept = await valuesOf(
    redis,
    rows.map((row) => cards.keyOf(redis, bigintOf(row.id))),
  );
  return rows.flatMap((row, nth) => {
    const bytes = kept[nth];
    if (bytes === null || bytes === undefined) return [];
    const deleted = Number(row.deleted) === 1;
    const right: Comparable = {
      version: Number(row.version),
      authorId: bigintOf(row.author_id),
      deleted,
      ...(!deleted && {
        audience: Number(row.audience),
        replySetting: Number(row.reply_setting),
        reposts: Number(row.repost_count),
        quotes: Number(row.quote_count),
        saves: Number(row.save_count),
        quoted: row.quoted_id === null ? undefined : bigintOf(row.quoted_id),
      }),
    };
    const card = comparable(decodeCard(bytes), right.version);
    if (isDeepStrictEqual(card, right)) return [];
    const differs = (field: "audience" | "reposts" | "quotes" | "saves" | "quoted") =>
      !deleted && !card.deleted && card[field] !== right[field];
    const isMiscounted = differs("reposts") || differs("quotes") || differs("saves");
    const said = (one: Comparable) =>
      [
        `version ${one.version}`,
        ...(one.deleted ? ["deleted"] : []),
        ...(differs("audience") ? [`for audience ${one.audience}`] : []),
        ...(differs("quoted") ? [`quoting ${one.quoted ?? "nothing"}`] : []),
        ...(isMiscounted ? [`${one.reposts} reposts`, `${one.quotes} quotes`, `${one.saves} saves`] : []),
      ].join(", ");
    return [`the card of post ${row.id} says ${said(card)}; it is ${said(right)}`];
  });
}

/** What a card is held to. */
type Comparable = Pick<Card, "version" | "authorId" | "deleted"> &
  Partial<Pick<Card, "audience" | "replySetting"> & Omit<ShareCounts, "version">> & {
    readonly quoted?: bigint | undefined;
  };

/** A tombstone is for nobody, and tells its version together with how often its counts were folded. */
function comparable(card: Card, rightVersion: number): Comparable {
  const { version, authorId, deleted, audience, replySetting } = card;
  if (deleted) return { version: Math.min(version, rightVersion), authorId, deleted };
  const { reposts = 0, quotes = 0, saves = 0 } = card.shares ?? {};
  return { version, authorId, deleted, audience, replySetting, reposts, quotes, saves, quoted: card.quoted?.postId };
}

async function checkCounts({ truth, oracle, redis }: World): Promise<string[]> {
  const rows = await truth.post.query("SELECT id FROM post WHERE deleted = 0");
  const ids = rows.map((row) => bigintOf(row.id));
  const right = await oracle.counts(ids);
  const families = [
    { name: "likes", family: likeCounts, of: (nth: number) => right[nth]?.[1] },
    { name: "comments", family: commentCounts, of: (nth: number) => right[nth]?.[2] },
  ];
  const found = families.map(async ({ name, family, of }) => {
    const kept = await valuesOf(
      redis,
      ids.map((id) => family.keyOf(redis, id)),
    );
    return kept.flatMap((bytes, nth) => {
      const value = bytes ? decodeCount(bytes).value : of(nth);
      return value === of(nth) ? [] : [`the ${name} of post ${ids[nth]} are kept as ${value}; they are ${of(nth)}`];
    });
  });
  return (await Promise.all(found)).flat();
}

async function valuesOf(redis: Redis, keys: readonly string[]): Promise<(Buffer | null)[]> {
  const values: (Buffer | null)[] = [];
  for (let at = 0; at < keys.length; at += keysMax) {
    const pipeline = redis.pipeline();
    for (const key of keys.slice(at, at + keysMax)) pipeline.getBuffer(key);
    values.push(...((await redis.run(pipeline)) as (Buffer | null)[]));
  }
  return values;
}

/** The whole feed with counts and the viewer's own likes and reposts, and the counts of the profile, all through the front door. */
async function checkPerson({ oracle }: World, person: Person): Promise<string[]> {
  const id = BigInt(person.id);
  const items = await person.feedItems(pageSize);
  const postIds = items.map(({ post }) => BigInt(post.id));
  const [ids, liked, reposted, counted, shared, followers, following] = await Promise.all([
    oracle.home(id),
    oracle.liked(id),
    oracle.reposted(id),
    oracle.counts(postIds),
    oracle.shares(postIds),
    oracle.followers(id),
    oracle.following(id),
  ]);
  const shown = items.map(({ activityId }) => activityId);
  const whose = `the feed of ${person.username}`;
  const found = isDeepStrictEqual(shown, ids) ? [] : [`${whose} ${differenceOf(shown, ids)}`];
  for (const [nth, { post }] of items.entries()) {
    const { likeCount, commentCount, repostCount = 0, quoteCount = 0, saveCount = 0, viewer } = post;
    const own = [viewer?.liked, viewer?.reposted === true, likeCount, commentCount, repostCount, quoteCount, saveCount];
    const [, ...counts] = counted[nth] ?? [];
    const [, ...shares] = shared[nth] ?? [];
    const right = [liked.has(post.id), reposted.has(post.id), ...counts, ...shares];
    if (!isDeepStrictEqual(own, right))
      found.push(
        `${whose} shows post ${post.id} with (liked, reposted, likes, comments, reposts, quotes, saves) ${own}; it is ${right}`,
      );
  }
  const { body } = await person.call<{ followerCount: number; followingCount: number }>("GET", `/v1/users/${id}`);
  if (body.followerCount !== followers || body.followingCount !== following)
    found.push(
      `${person.username} has ${body.followerCount} followers, follows ${body.followingCount}; it is ${followers}, ${following}`,
    );
  return found;
}

function differenceOf(shown: readonly string[], right: readonly string[]): string {
  const lacking = right.filter((id) => !shown.includes(id));
  const extra = shown.filter((id) => !right.includes(id));
  if (lacking.length + extra.length === 0) return "is in another order, or repeats itself";
  return `lacks ${lacking.length} (${lacking[0] ?? "none"} …) and has ${extra.length} too many (${extra[0] ?? "none"} …)`;
}
