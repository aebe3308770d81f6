import type { Redis, Script } from "#lib/storage/redis.ts";

/** An author whose activities are pulled; or, where `isPulled` is false, pushed again since a moment (ms of Redis' clock). */
export type Pulled = { readonly authorId: bigint; readonly isPulled: boolean; readonly sinceMs: number };

/** Authors pulled at once: every home read asks which of them its viewer follows. Beyond, more are pushed as before. */
const authorsMax = 256;
/** A process looks this often who is pulled, and never believes what it saw longer ago than that. */
const lookMs = 1_000;
const believedMs = 4_000;
/** From then on every process that reads knows of it, and pushes may end. */
const settledMs = 5_000;
/** Longer than a timeline lives without a visit: one from before is made anew at its visit, or gone. */
const forgottenMs = 15 * 86_400_000;

const clock = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

/** KEYS: pulled. ARGV: author, state, most authors. */
const mark: Script = {
  lua: `${clock}
local before = redis.call('HGET', KEYS[1], ARGV[1])
if before and string.sub(before, 1, 1) == ARGV[2] then return 0 end
if not before and (ARGV[2] == 'd' or redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3])) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. string.format('%.0f', now))
return 1`,
};

/** KEYS: pulled. ARGV: author, state, for how long (ms). */
const lasts: Script = {
  lua: `${clock}
local state = redis.call('HGET', KEYS[1], ARGV[1])
if not state or string.sub(state, 1, 1) ~= ARGV[2] or now - tonumber(string.sub(state, 2)) < tonumber(ARGV[3]) then return 0 end
if ARGV[2] == 'd' then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1`,
};

export const pulledScripts = [mark, lasts];

const keyOf = (redis: Redis): string => redis.soleKey("pulled");

/**
 * `pulled`: authors of so many followers that their activities are not pushed but read from their own timelines, by home reads
 * whose viewer follows them; `p` and since when, or `d` and when they began to be pushed again. Owner: feed. Missing: nobody
 * is pulled, so everything is pushed; with it the timelines are gone that lack something.
 */
export const pulled = {
  /** Pulls an author from now on, or pushes again. False where it is so already, or so many are pulled. */
  async mark(redis: Redis, authorId: bigint, isPulled: boolean): Promise<boolean> {
    const pipeline = redis.pipeline();
    redis.call(pipeline, mark, [keyOf(redis)], [String(authorId), isPulled ? "p" : "d", authorsMax]);
    return (await redis.run(pipeline))[0] === 1;
  },

  /** Whether an author is pulled by every reader, so that nobody needs a push; asked of Redis itself, now. */
  isSettled: (redis: Redis, authorId: bigint): Promise<boolean> => isSo(redis, authorId, "p", settledMs),

  /** Forgets authors that are pushed again for so long that no timeline lacks anything of theirs. */
  forget: (redis: Redis, authorId: bigint): Promise<boolean> => isSo(redis, authorId, "d", forgottenMs),
};

async function isSo(redis: Redis, authorId: bigint, state: "p" | "d", forMs: number): Promise<boolean> {
  const pipeline = redis.pipeline();
  redis.call(pipeline, lasts, [keyOf(redis)], [String(authorId), state, forMs]);
  return (await redis.run(pipeline))[0] === 1;
}

/**
 * Who is pulled, as one process sees it: looked at once a second, in a round trip that is made anyway. Pushes end so much later
 * than the mark that no reader can have missed it.
 */
export function pulledView(redis: Redis) {
  let known: readonly Pulled[] = [];
  let seen = "{}";
  let lookedMs = Number.NEGATIVE_INFINITY;

  return {
    /** The same list for as long as nothing changes. */
    known: (): readonly Pulled[] => known,
    isDue: (): boolean => performance.now() - lookedMs > lookMs,
    /** Whether what is known may be believed: a process that was stopped since it looked may have missed a mark. */
    isBelieved: (): boolean => performance.now() - lookedMs < believedMs,

    /** Adds a look to a read, after that of the lag; whoever reads the answer hands it to what this answers. */
    look(pipeline: ReturnType<Redis["pipeline"]>): (answer: unknown) => void {
      const sentMs = performance.now();
      pipeline.hgetall(keyOf(redis));
      return (answer) => {
        lookedMs = sentMs;
        const text = JSON.stringify(answer ?? {});
        if (text === seen) return;
        seen = text;
        known = Object.entries((answer as Record<string, string> | null) ?? {}).map(([author, state]) => ({
          authorId: BigInt(author),
          isPulled: state.startsWith("p"),
          sinceMs: Number(state.slice(1)),
        }));
      };
    },
  };
}

export type PulledView = ReturnType<typeof pulledView>;
