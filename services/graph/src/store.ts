import type { Statements } from "#lib/storage/mysql.ts";
import { accounts } from "./store/accounts.ts";
import { followLists } from "./store/follow-lists.ts";
import { followChanges } from "./store/follows.ts";
import { lists } from "./store/lists.ts";
import { muted } from "./store/muted.ts";
import { relationsOf, standingLinksOf } from "./store/relation.ts";
import { ties } from "./store/ties.ts";

/** The truth about accounts and how people stand to each other. */
export type GraphStore = ReturnType<typeof graphStore>;

export const graphStore = (db: Statements) => ({
  ...accounts(db),
  ...followChanges(db),
  ...followLists(db),
  ...ties(db),
  ...muted(db),
  lists: lists(db),
  relations: (viewerId: bigint, userIds: readonly bigint[]) => relationsOf(db, viewerId, userIds),
  standingLinks: (viewerId: bigint, userIds: readonly bigint[]) => standingLinksOf(db, viewerId, userIds),
});
