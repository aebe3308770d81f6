import type { Redis, Script } from "#lib/storage/redis.ts";
import { setStateOf } from "./member-set.ts";

/** What stands between a viewer and somebody else, beside follows. */
export type Ties = {
  /** The viewer blocks them, or mutes them. */
  readonly blocking: boolean;
  readonly muting: boolean;
  /** They block the viewer, or count the viewer among their close friends. */
  readonly blockedBy: boolean;
  readonly closeFriendOf: boolean;
};

export type TieKind = keyof Ties;

/** A kind's letter in a member, and its bit in an answer. */
const kinds: Record<TieKind, { readonly letter: string; readonly bit: number }> = {
  blocking: { letter: "b", bit: 1 },
  blockedBy: { letter: "B", bit: 2 },
  muting: { letter: "m", bit: 4 },
  closeFriendOf: { letter: "c", bit: 8 },
};

/** A member of a viewer's set of ties: whom it is with, and which kind it is. */
export const tieMember = (kind: TieKind, userId: bigint): string => `${userId}${kinds[kind].letter}`;

/** The member that says "some words are muted". Which, their owner is asked: they change with the version of the set. */
export const wordsMember = "w";

/**
 * Answers the state, whether words are muted, and a mask an id, a hexadecimal digit each, as of one moment; no masks where the
 * set holds nothing but its mark, as most do. Empty: there is no set.
 */
export const tiesLua = `
local function ties(set, stateKey, ids)
  local state = redis.call('GET', stateKey)
  local size = redis.call('SCARD', set)
  if not state or size == 0 then return {} end
  if size == 1 then return { state, 0 } end
  local masks = {}
  for nth, id in ipairs(ids) do
    local has = redis.call('SMISMEMBER', set, id .. 'b', id .. 'B', id .. 'm', id .. 'c')
    masks[nth] = string.format('%x', has[1] + 2 * has[2] + 4 * has[3] + 8 * has[4])
  end
  return { state, redis.call('SISMEMBER', set, 'w'), table.concat(masks) }
end`;

const look: Script = { lua: `${tiesLua} return ties(KEYS[1], KEYS[2], ARGV)` };

export const tieScripts = [look];

/** Asks which ties a set holds with some people; `tiesIn` reads the answer. `keys` are the set and its state. */
export function askTies(
  redis: Redis,
  pipeline: ReturnType<Redis["pipeline"]>,
  keys: readonly string[],
  userIds: readonly bigint[],
): void {
  redis.call(pipeline, look, [...keys], userIds.map(String));
}

/** Who of them is tied to the viewer, and how; undefined where there is no set: truth decides. */
export function tiesIn(answer: unknown, userIds: readonly bigint[]): ReadonlyMap<bigint, Ties> | undefined {
  const [state, , masks = ""] = answer as [state?: string, words?: number, masks?: string];
  if (state === undefined) return undefined;
  const tied = new Map<bigint, Ties>();
  for (let nth = 0; nth < masks.length; nth++) {
    if (masks[nth] !== "0") tied.set(userIds[nth] as bigint, tiesOf(Number.parseInt(masks[nth] ?? "", 16)));
  }
  return tied;
}

/** The version of the viewer's muted words: 0 where none are muted; undefined where there is no set: truth decides. */
export function wordsVersionIn(answer: unknown): bigint | undefined {
  const [state, some] = answer as [string?, number?];
  return some === 0 ? 0n : setStateOf(state)?.version;
}

export const noTies: Ties = tiesOf(0);

function tiesOf(mask: number): Ties {
  const has = (kind: TieKind) => (mask & kinds[kind].bit) !== 0;
  return {
    blocking: has("blocking"),
    blockedBy: has("blockedBy"),
    muting: has("muting"),
    closeFriendOf: has("closeFriendOf"),
  };
}
