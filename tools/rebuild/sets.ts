import { setTimeout as sleep } from "node:timers/promises";
import type { Marked, Member, SetState } from "#lib/readmodel/member-set.ts";
import { setStateOf } from "#lib/readmodel/member-set.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { againMs, looksMax, sum, type Tally, triesMax } from "./tally.ts";

type Needs<M extends Member | Marked> = {
  readonly redis: Redis;
  readonly family: Family<M>;
  readonly truth: (ownerId: bigint) => Promise<SetState & { readonly ids: readonly M[] }>;
};

/** What a rebuild asks of a family of sets, whether its members have marks or not. */
type Family<M> = {
  setKey(redis: Redis, ownerId: bigint): string;
  stateKey(redis: Redis, ownerId: bigint): string;
  readAll(pipeline: ReturnType<Redis["pipeline"]>, key: string): void;
  rebuild(redis: Redis, ownerId: bigint): Promise<(state: SetState, members: readonly M[]) => Promise<void>>;
};

/** Sets that are read and compared at once. */
const atOnceMax = 8;

/**
 * Rebuilds sets of members by the family's own build, which is refused where the set changed since truth was read. Only
 * states of one version are compared, down to where both are whole.
 */
export function setRebuild<M extends Member | Marked>(needs: Needs<M>) {
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

async function rebuilt<M extends Member | Marked>(needs: Needs<M>, ownerId: bigint): Promise<Partial<Tally>> {
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
async function firstOf<M extends Member | Marked>({ redis, family }: Needs<M>, ownerId: bigint) {
  const [setKey, stateKey] = [family.setKey(redis, ownerId), family.stateKey(redis, ownerId)];
  const pipeline = redis.pipeline().get(stateKey);
  family.readAll(pipeline, setKey);
  const [state, kept, stateAfter] = (await redis.run(pipeline.get(stateKey))) as [unknown, Read, unknown];
  const known = setStateOf(state);
  const members = Array.isArray(kept)
    ? kept
    : Object.entries(kept).map(([id, mark]) => nameOf([BigInt(id), Number.parseInt(mark, 16)]));
  if (known === undefined || members.length === 0) return undefined;
  return { ...known, ...(state !== stateAfter && { version: -1n }), members: new Set(members) };
}

/** How the first generation differs from truth; undefined where they are of different versions. */
function differenceOf(
  first: SetState & { readonly members: ReadonlySet<string> },
  truth: SetState & { readonly ids: readonly (Member | Marked)[] },
) {
  if (first.version !== truth.version) return undefined;
  const low = first.lowWatermark > truth.lowWatermark ? first.lowWatermark : truth.lowWatermark;
  // Members that are more than an id are in sets that are whole.
  const isIn = (name: string) => low === 0n || BigInt(name.split("=")[0] ?? "") >= low;
  const due = new Set(truth.ids.map(nameOf).filter(isIn));
  const has = [...first.members].filter((name) => name !== "0" && name !== hereMark && isIn(name));
  return {
    entries: due.size,
    missing: [...due].filter((id) => !first.members.has(id)).length,
    extra: has.filter((id) => !due.has(id)).length,
  };
}

/** A set, or a hash. */
type Read = string[] | Record<string, string>;

/** A member as it is compared: one with a mark is another where the mark is another. */
const nameOf = (member: Member | Marked): string =>
  typeof member === "object" ? `${member[0]}=${member[1]}` : String(member);

/** What says of a hash that it is there. */
const hereMark = nameOf([0n, 0]);
