import { invalid } from "#lib/mesh/errors.ts";
import type { maySeeAccount, Standing, ViewerId } from "#lib/readmodel/audience.ts";
import { parseId } from "#lib/storage/id.ts";
import type { StoredAccount } from "../store/accounts.ts";
import { follows, type Relation, standingOf, stranger } from "../store/relation.ts";
import type { GraphStore } from "../store.ts";

/** Ids in one batch. */
const batchMax = 100;

/** An account, and all that is between it and a viewer. */
export type Known = { readonly account: StoredAccount; readonly relation: Relation; readonly standing: Standing };

/** How accounts stand to a viewer, by rows; who is not there is not in the map. `late` is for their counts. */
export async function knownTo(
  store: Pick<GraphStore, "accounts" | "relations">,
  viewerId: ViewerId,
  userIds: readonly bigint[],
  late: readonly number[] = [],
): Promise<Map<bigint, Known>> {
  const [accounts, relations] = await Promise.all([
    store.accounts(userIds, late),
    viewerId === undefined ? new Map<bigint, Relation>() : store.relations(viewerId, userIds),
  ]);
  return new Map(
    [...accounts].map(([id, account]) => {
      const relation = relations.get(id) ?? stranger;
      return [id, { account, relation, standing: standingOf(account, relation) }];
    }),
  );
}

/** The same as far as it decides what the viewer may see: half the rows. */
export const decidedFor = (store: GraphStore, viewerId: ViewerId, userIds: readonly bigint[]) =>
  knownTo({ accounts: store.accounts, relations: store.standingLinks }, viewerId, userIds);

/** Which accounts a rule lets a viewer see. */
export const seenBy =
  (store: GraphStore, viewerId: ViewerId, rule: typeof maySeeAccount) =>
  async (userIds: readonly bigint[]): Promise<Set<bigint>> => {
    const known = await decidedFor(store, viewerId, userIds);
    return new Set(userIds.filter((id) => rule(viewerId, id, known.get(id)?.standing)));
  };

/** How the viewer stands to somebody, as people are told: not who blocks them, nor whose close friend they are. */
export const relationshipOf = (relation: Relation | undefined = stranger) => ({
  following: relation.follows.state === follows.following,
  requested: relation.follows.state === follows.requested,
  followedBy: relation.followedBy.state === follows.following,
  requestedBy: relation.followedBy.state === follows.requested,
  blocking: relation.blocking.state === 1,
  muting: relation.muting.state === 1,
  closeFriend: relation.closeFriend.state === 1,
});

/** The ids of a batch; 0, which is nobody's, for a text that is no id. */
export function batchOf(userIds: readonly string[], field = "user_ids"): bigint[] {
  if (userIds.length > batchMax) throw invalid(field, `must be at most ${batchMax}`);
  return userIds.map((id) => parseId(id) ?? 0n);
}
