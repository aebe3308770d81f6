import { randomBytes } from "node:crypto";
import type { Redis, Script } from "#lib/storage/redis.ts";

/** An id, or an id with a word about it. */
export type Member = bigint | string;

/** One change of an owner's set; versions of an owner are dense, so a jump means that something is still missing. */
export type MemberChange = {
  readonly ownerId: bigint;
  readonly memberId: Member;
  readonly isMember: boolean;
  readonly version: bigint;
};
/** The same where each member has a mark: 1 to 15, and 0 for what is no member any more. */
type MarkChange = Omit<MemberChange, "isMember"> & { readonly mark: number };

/** Which state of the owner's truth a set was made from, and down to which member it is whole: 0 for all of them. */
export type SetState = { readonly version: bigint; readonly lowWatermark: bigint };

/** Thirty days without a visit. */
const lifeSeconds = 30 * 86_400;
/** A build that takes longer has failed. */
const buildSeconds = 30;
/** Lua's unpack is bounded; larger sets go in several commands of one script. */
const membersAtOnce = 1_000;

/** KEYS: set, state, token. The state is "version lowWatermark"; the token is "token floor", see `begin`. */
const versionOf = `
local function versionOf(state) return tonumber(state and string.match(state, '^%d+') or '-1') end`;

/** Builds under way that read less than a committed version come too late. */
const raiseFloor = `
local function raiseFloor(key, version)
  local token, floor = string.match(redis.call('GET', key) or '', '^(%S+) (%d+)$')
  if token and tonumber(floor) < version then redis.call('SET', key, token .. ' ' .. version, 'KEEPTTL') end
end`;

/**
 * KEYS: token. Builds of one set share a token, so that none keeps another from landing, and a floor: the latest version that
 * was committed since. A flush takes both away, and with them every build under way.
 */
const begin: Script = {
  lua: `
redis.call('SET', KEYS[1], ARGV[1] .. ' 0', 'EX', ARGV[2], 'NX')
return string.match(redis.call('GET', KEYS[1]), '^%S+')`,
};

/** How members are kept: in a set, or in a hash where each has a mark, a hexadecimal digit. */
type Kept = {
  /** Adds a member, or takes it out where the mark is 0. */
  readonly apply: string;
  readonly size: string;
  readonly add: string;
  /** What says "the set is here". */
  readonly here: string;
};

const asSet: Kept = {
  apply: "redis.call(ARGV[3] == '0' and 'SREM' or 'SADD', KEYS[1], ARGV[2])",
  size: "SCARD",
  add: "SADD",
  here: "'0'",
};
const asHash: Kept = {
  apply:
    "if ARGV[3] == '0' then redis.call('HDEL', KEYS[1], ARGV[2]) else redis.call('HSET', KEYS[1], ARGV[2], ARGV[3]) end",
  size: "HLEN",
  add: "HSET",
  here: "'0', '0'",
};

const applying = (kept: Kept): Script => ({
  lua: `${versionOf}${raiseFloor}
local state = redis.call('GET', KEYS[2])
local cur, version = versionOf(state), tonumber(ARGV[1])
raiseFloor(KEYS[3], version)
if cur >= version then return 0 end
if cur == version - 1 and redis.call('EXISTS', KEYS[1]) == 1 then
  ${kept.apply}
  if redis.call('${kept.size}', KEYS[1]) <= tonumber(ARGV[5]) then
    redis.call('SET', KEYS[2], ARGV[1] .. string.match(state, ' %d+$'), 'EX', ARGV[4])
    redis.call('EXPIRE', KEYS[1], ARGV[4])
    return 1
  end
end
redis.call('DEL', KEYS[1], KEYS[2])
return -1`,
});

/** ARGV from the fourth on: members; or members, each with its mark after it. */
const building = (kept: Kept): Script => ({
  lua: `${versionOf}
local version = versionOf(ARGV[2])
local token, floor = string.match(redis.call('GET', KEYS[3]) or '', '^(%S+) (%d+)$')
if token ~= ARGV[1] or tonumber(floor) > version then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 and versionOf(redis.call('GET', KEYS[2])) > version then return 0 end
redis.call('DEL', KEYS[1])
redis.call('${kept.add}', KEYS[1], ${kept.here})
for first = 4, #ARGV, ${membersAtOnce} do
  redis.call('${kept.add}', KEYS[1], unpack(ARGV, first, math.min(first + ${membersAtOnce - 1}, #ARGV)))
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1`,
});

/** A set that is older than a committed version goes, and so does a build that may have read an older one. */
const catchUp: Script = {
  lua: `${versionOf}${raiseFloor}
raiseFloor(KEYS[3], tonumber(ARGV[1]))
if versionOf(redis.call('GET', KEYS[2])) >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
return 1`,
};

/**
 * The state, and a 1 or 0 for each of the members asked for, of one moment: a set built anew in between may reach less far down.
 * The state alone where the set holds nothing but its mark.
 */
export const membersLua = `
local function members(set, stateKey, ids)
  local state = redis.call('GET', stateKey)
  local size = redis.call('SCARD', set)
  if not state or size == 0 then return {} end
  if size == 1 then return { state } end
  return { state, table.concat(redis.call('SMISMEMBER', set, unpack(ids))) }
end`;

const look: Script = { lua: `${membersLua} return members(KEYS[1], KEYS[2], ARGV)` };

/** The state, and a digit for each of the members asked for, which may be none: its mark, or 0; as above. */
export const marksLua = `
local function marks(set, stateKey, ids)
  local state = redis.call('GET', stateKey)
  local size = redis.call('HLEN', set)
  if not state or size == 0 then return {} end
  if size == 1 or #ids == 0 then return { state } end
  local found = redis.call('HMGET', set, unpack(ids))
  for nth = 1, #ids do found[nth] = found[nth] or '0' end
  return { state, table.concat(found) }
end`;

const scriptsOf = (kept: Kept) => ({ apply: applying(kept), build: building(kept) });
const setScripts = scriptsOf(asSet);
const hashScripts = scriptsOf(asHash);

export const memberSetScripts = [
  begin,
  catchUp,
  look,
  ...[setScripts, hashScripts].flatMap(({ apply, build }) => [apply, build]),
];

/**
 * A key family of sets, one an owner: `<family>:<owner>` holds the members and the mark 0 that says "the set is here"
 * (missing means rebuild, never nobody), `<family>.v:<owner>` its state, `<family>.t:<owner>` the token of a build. A
 * set that would grow beyond `membersMax` is dropped, and built anew from the newest.
 */
export function memberSetFamily(family: string, membersMax: number) {
  const { keysOf, change, build, ...rest } = familyOf(family, membersMax, setScripts);
  return {
    ...rest,

    /** Asks which of some members, one or more, are in a set; `membersIn` reads the answer. */
    ask(redis: Redis, pipeline: ReturnType<Redis["pipeline"]>, ownerId: bigint, memberIds: readonly bigint[]): void {
      redis.call(pipeline, look, keysOf(redis, ownerId), memberIds.map(String));
    },

    /** Reads it whole: members, and the mark 0. */
    readAll: (pipeline: ReturnType<Redis["pipeline"]>, key: string): void => void pipeline.smembers(key),

    /** Applies a committed change, or drops a set that misses one before it. Either way no reader sees the old state. */
    apply: (redis: Redis, { isMember, ...of }: MemberChange): Promise<void> =>
      change(redis, { ...of, mark: isMember ? 1 : 0 }),

    /** Begins a build; call it before reading truth. What is read counts only if nothing later was committed in between. */
    async rebuild(redis: Redis, ownerId: bigint) {
      const keep = await build(redis, ownerId);
      return (state: SetState, memberIds: readonly Member[]): Promise<void> => keep(state, memberIds.map(String));
    },
  };
}

/** A member and its mark. */
export type Marked = readonly [memberId: bigint, mark: number];

/** The same where each member has a mark, 1 to 15, that says what kind of member it is. */
export function markedSetFamily(family: string, membersMax: number) {
  const { keysOf: _, change, build, ...rest } = familyOf(family, membersMax, hashScripts);
  return {
    ...rest,
    apply: change,
    readAll: (pipeline: ReturnType<Redis["pipeline"]>, key: string): void => void pipeline.hgetall(key),

    async rebuild(redis: Redis, ownerId: bigint) {
      const keep = await build(redis, ownerId);
      return (state: SetState, marked: readonly Marked[]): Promise<void> =>
        keep(
          state,
          marked.flatMap(([id, mark]) => [String(id), digitOf(mark)]),
        );
    },
  };
}

const digitOf = (mark: number): string => mark.toString(16);

/** What both kinds of family are made of. */
function familyOf(family: string, membersMax: number, scripts: ReturnType<typeof scriptsOf>) {
  const stateFamily = `${family}.v`;
  const keysOf = (redis: Redis, ownerId: bigint) => [
    redis.key(family, ownerId),
    redis.key(stateFamily, ownerId),
    redis.key(`${family}.t`, ownerId),
  ];

  return {
    keysOf,
    setKey: (redis: Redis, ownerId: bigint): string => redis.key(family, ownerId),
    /** For scripts that read a set together with its state. */
    readKeys: (redis: Redis, ownerId: bigint): string[] => keysOf(redis, ownerId).slice(0, 2),
    stateFamily,
    stateKey: (redis: Redis, ownerId: bigint): string => redis.key(stateFamily, ownerId),

    /** Applies a committed change, or drops a set that misses one before it. Either way no reader sees the old state. */
    async change(redis: Redis, { ownerId, memberId, mark, version }: MarkChange): Promise<void> {
      const pipeline = redis.pipeline();
      const args = [String(version), String(memberId), digitOf(mark), lifeSeconds, membersMax + 1];
      redis.call(pipeline, scripts.apply, keysOf(redis, ownerId), args);
      await redis.run(pipeline);
    },

    /** Drops the sets that are behind these committed versions: whoever was to apply them may have died. */
    async catchUp(redis: Redis, versions: ReadonlyMap<bigint, bigint>): Promise<void> {
      const pipeline = redis.pipeline();
      for (const [ownerId, version] of versions) {
        redis.call(pipeline, catchUp, keysOf(redis, ownerId), [String(version)]);
      }
      await redis.run(pipeline);
    },

    /** Forgets a set that changed in many places at once. */
    async drop(redis: Redis, ownerIds: readonly bigint[]): Promise<void> {
      const pipeline = redis.pipeline();
      for (const ownerId of ownerIds) pipeline.del(...keysOf(redis, ownerId));
      await redis.run(pipeline);
    },

    /** Begins a build; call it before reading truth. What is read counts only if nothing later was committed in between. */
    async build(redis: Redis, ownerId: bigint) {
      const keys = keysOf(redis, ownerId);
      const begun = redis.pipeline();
      redis.call(begun, begin, [keys[2] as string], [randomBytes(9).toString("base64url"), buildSeconds]);
      const token = String((await redis.run(begun))[0]);
      return async ({ version, lowWatermark }: SetState, members: readonly string[]): Promise<void> => {
        const pipeline = redis.pipeline();
        redis.call(pipeline, scripts.build, keys, [token, `${version} ${lowWatermark}`, lifeSeconds, ...members]);
        await redis.run(pipeline);
      };
    },
  };
}

/** The state as it was read under `stateKey`; undefined where there is no set. */
export function setStateOf(answer: unknown): SetState | undefined {
  if (typeof answer !== "string") return undefined;
  const [version = "", lowWatermark = ""] = answer.split(" ");
  return { version: BigInt(version), lowWatermark: BigInt(lowWatermark) };
}

/** A set, or the part of it that was asked for. */
export type MemberSet = SetState & { readonly ids: ReadonlySet<bigint> };

/** Those of the members that were asked for which are in the set; undefined where there is no set: truth decides. */
export function membersIn(answer: unknown, memberIds: readonly bigint[]): MemberSet | undefined {
  const [first, flags = ""] = answer as [state?: string, flags?: string];
  const state = setStateOf(first);
  return state && { ...state, ids: new Set(memberIds.filter((_, nth) => flags[nth] === "1")) };
}

/** The same with the mark of each member that is in the set. */
export type MarkedSet = SetState & { readonly marks: ReadonlyMap<bigint, number> };

/** Those of the members that were asked for which are in the set, each with its mark; undefined where there is no set. */
export function marksIn(answer: unknown, memberIds: readonly bigint[]): MarkedSet | undefined {
  const [first, digits = ""] = answer as [state?: string, digits?: string];
  const state = setStateOf(first);
  if (state === undefined) return undefined;
  const marks = new Map<bigint, number>();
  for (let nth = 0; nth < digits.length; nth++) {
    if (digits[nth] !== "0") marks.set(memberIds[nth] as bigint, Number.parseInt(digits[nth] as string, 16));
  }
  return { ...state, marks };
}
