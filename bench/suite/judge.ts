import { timeOf } from "#lib/storage/id.ts";
import { type Db, openMysql } from "#lib/storage/mysql.ts";
import type { FeedPage } from "../../tests/support/person.ts";
import type { Oracle } from "../../tools/oracle.ts";
import { deployment } from "./system.ts";

/** What pages hold, counted against the truth. */
export type Verdict = {
  readonly items: number;
  /** Not for this viewer, twice there, or out of order. */
  readonly wrong: number;
  /** Must be on the page, and is not. */
  readonly missing: number;
  /** There, with a text, name or count that is not the truth any more. */
  readonly stale: number;
};

export const flawless: Verdict = { items: 0, wrong: 0, missing: 0, stale: 0 };

export const sum = (a: Verdict, b: Verdict): Verdict => ({
  items: a.items + b.items,
  wrong: a.wrong + b.wrong,
  missing: a.missing + b.missing,
  stale: a.stale + b.stale,
});

type Item = FeedPage["items"][number] & { post: { version: number; author: { displayName: string } } };

/** A post being written while a page is read may be on it or not; one answered before must be. Creates take less. */
const underWayMs = 3_000;

export type Judge = ReturnType<typeof openJudge>;

/** Holds pages to the oracle, and what is written on them to the rows. */
export function openJudge(oracle: Oracle, mysqlUrl: string) {
  const post = openMysql({ url: mysqlUrl, database: `${deployment}_post` });
  const user = openMysql({ url: mysqlUrl, database: `${deployment}_user` });

  return {
    /**
     * The first page of a viewer's feed, read at a moment. What counts and likes were at an earlier one nobody knows, so
     * they are held to the truth only where nothing was written since.
     */
    async judge(
      viewerId: bigint,
      page: FeedPage,
      { time, isStill }: { time: number; isStill: boolean },
    ): Promise<Verdict> {
      const items = page.items as Item[];
      const truth = await oracle.home(viewerId);
      const placed = placesOf(page, truth, isStill ? Number.POSITIVE_INFINITY : time - underWayMs);
      const written = await writtenOf({ post, user }, items);
      const liked = await oracle.liked(viewerId);
      const counts = await oracle.counts(items.map(({ activityId }) => BigInt(activityId)));
      const isStale = (item: Item, nth: number) => {
        const [, likes, comments] = counts[nth] ?? [];
        const shown = item.post;
        if (written.get(shown.id) !== contentOf(shown.text, shown.author.displayName)) return true;
        if (!isStill) return false;
        return (
          shown.likeCount !== likes || shown.commentCount !== comments || shown.viewer?.liked !== liked.has(shown.id)
        );
      };
      return { items: items.length, ...placed, stale: items.filter(isStale).length };
    },

    close: async (): Promise<void> => void (await Promise.all([post.close(), user.close()])),
  };
}

const contentOf = (text: string, name: string): string => JSON.stringify([text, name]);

/** The page reaches down to its last item, or to the end of the feed where nothing follows. */
function placesOf({ items, nextPageToken }: FeedPage, truth: readonly string[], answeredTime: number) {
  const shown = items.map(({ activityId }) => activityId);
  const isThere = new Set(shown);
  const isTrue = new Set(truth);
  const last = BigInt(nextPageToken === "" ? 0 : (shown.at(-1) ?? 0));
  const wrong = shown.filter((id, nth) => !isTrue.has(id) || (nth > 0 && BigInt(id) >= BigInt(shown[nth - 1] ?? 0)));
  const missing = truth.filter((id) => BigInt(id) > last && timeOf(BigInt(id)) < answeredTime && !isThere.has(id));
  return { wrong: wrong.length, missing: missing.length };
}

/** Text and name of each post, as they are. */
async function writtenOf({ post, user }: { post: Db; user: Db }, items: readonly Item[]): Promise<Map<string, string>> {
  const ids = (of: readonly string[]) => [["0", ...of].map(BigInt)];
  const [texts, names] = await Promise.all([
    post.query("SELECT id, text FROM post WHERE id IN (?)", ids(items.map((item) => item.post.id))),
    user.query("SELECT id, display_name FROM user WHERE id IN (?)", ids(items.map((item) => item.post.author.id))),
  ]);
  const text = new Map(texts.map((row) => [String(row.id), String(row.text)]));
  const name = new Map(names.map((row) => [String(row.id), String(row.display_name)]));
  return new Map(
    items.map(({ post: { id, author } }) => [id, contentOf(text.get(id) ?? "", name.get(author.id) ?? "")]),
  );
}
