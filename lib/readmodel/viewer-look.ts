import type { Redis, Script } from "#lib/storage/redis.ts";
import { marksLua, membersLua } from "./member-set.ts";
import { tiesLua } from "./tie.ts";

/** KEYS: each set and its state. ARGV: how many user ids, those, then post ids. Answers what each set's own look would. */
const look: Script = {
  lua: `${membersLua}${marksLua}${tiesLua}
local users, posts, count = {}, {}, tonumber(ARGV[1])
for nth = 2, #ARGV do
  if nth <= count + 1 then users[nth - 1] = ARGV[nth] else posts[nth - count - 1] = ARGV[nth] end
end
return { members(KEYS[1], KEYS[2], users), ties(KEYS[3], KEYS[4], users), marks(KEYS[5], KEYS[6], posts), marks(KEYS[7], KEYS[8], posts) }`,
};

export const viewerLookScripts = [look];

/** How some people, one or more, stand to a viewer by follows and ties, how the viewer reacts to some posts, and which of them they keep or reposted. */
export type ViewerLook = readonly [follows: unknown, ties: unknown, reacted: unknown, own: unknown];

/**
 * Asks for a `ViewerLook`, whose parts `membersIn`, `tiesIn` and `marksIn` read: one command, for the sets of a viewer share a bucket. `keys`
 * are the sets of follows, ties, reactions and what is their own, each with its state.
 */
export function askViewer(
  redis: Redis,
  pipeline: ReturnType<Redis["pipeline"]>,
  keys: readonly string[],
  { userIds, postIds }: { readonly userIds: readonly bigint[]; readonly postIds: readonly bigint[] },
): void {
  redis.call(pipeline, look, keys, [userIds.length, ...userIds.map(String), ...postIds.map(String)]);
}
