import { setTimeout as sleep } from "node:timers/promises";
import type { Member, memberSetFamily, SetState } from "#lib/readmodel/member-set.ts";
import { setStateOf } from "#lib/readmodel/member-set.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { againMs, looksMax, sum, type Tally, triesMax } from "./tally.ts";

type Needs = {
  readonly redis: Redis;
  readonly family: ReturnType<typeof memberSetFamily>;
  readonly truth: (ownerId: bigint) => Promise<SetState & { readonly ids: readonly Member[] }>;
};

/** Sets that are read and compared at once. */
const atOnceMax = 8;

/**
 * Rebuilds sets of members by the family's own build, which is refused where the set changed since truth was read. Only
 * states of one version are compared, down to where both are whole.
 */
export function setRebuild(needs: Needs) {
  return async (ownerIds: readonly bigint[]): Promise<Tally> => {
    const due = [...ownerIds];
    const tallies: Partial<Tally>[] = [];
    const worker = async () => {
      for (let id = due.pop(); id !== undefined; id = due.pop()) tallies.push(await rebuilt(needs, id));
    };
    await Promise.all(Array.from({ length: atOnceMax }, worker));
    return sum(tallies);
  };
}

async function rebuilt(needs: Needs, ownerId: bigint): Promise<Partial<Tally>> {
  let found: Partial<Tally> = {};
  for (let tried = 1; tried <= triesMax; tried++) {
    const mayBuild = tried >= looksMax;
    const build = mayBuild ? await needs.family.rebuild(needs.redis, ownerId) : undefined;
    const first = await firstOf(needs, ownerId);
    if (first === undefined) return { absent: 1 };
    const truth = await needs.truth(ownerId);
    const difference = differenceOf(first, truth);
    const isRight = difference !== undefined && difference.missing + difference.extra === 0;
    if (isRight) return found.entries === undefined ? { right: 1, ...difference } : { ...found, switched: 1 };
    if (build !== undefined) {
      // A set of another version after several looks is one that nobody brought up to date.
      found = difference ?? { entries: truth.ids.length, missing: 1, extra: 0 };
      await build(truth, truth.ids);
    }
    await sleep(againMs);
  }
  return { busy: 1 };
}

/** The set as of one moment; undefined where there is none. One that changed while it was read has version -1. */
async function firstOf({ redis, family }: Needs, ownerId: bigint) {
  const [setKey, stateKey] = [family.setKey(redis, ownerId), family.stateKey(redis, ownerId)];
  const pipeline = redis.pipeline().get(stateKey).smembers(setKey).get(stateKey);
  const [state, members, stateAfter] = (await redis.run(pipeline)) as [unknown, string[], unknown];
  const known = setStateOf(state);
  if (known === undefined || members.length === 0) return undefined;
  return { ...known, ...(state !== stateAfter && { version: -1n }), members: new Set(members) };
}

/** How the first generation differs from truth; undefined where they are of different versions. */
function differenceOf(
  first: SetState & { readonly members: ReadonlySet<string> },
  truth: SetState & { readonly ids: readonly Member[] },
) {
  if (first.version !== truth.version) return undefined;
  const low = first.lowWatermark > truth.lowWatermark ? first.lowWatermark : truth.lowWatermark;
  // Members that are more than an id are in sets that are whole.
  const isIn = (id: Member) => low === 0n || BigInt(id) >= low;
  const due = new Set(truth.ids.filter(isIn).map(String));
  const has = [...first.members].filter((id) => id !== "0" && isIn(id));
  return {
    entries: due.size,
    missing: [...due].filter((id) => !first.members.has(id)).length,
    extra: has.filter((id) => !due.has(id)).length,
  };
}
