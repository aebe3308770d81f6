import type { CallOptions, Client } from "@connectrpc/connect";
import type { GraphService, Standing as SentStanding } from "#gen/skein/graph/v1/graph_pb.ts";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { isAway, unavailable } from "#lib/mesh/errors.ts";
import { inTime } from "#lib/mesh/metrics.ts";
import { turnstile } from "#lib/mesh/turnstile.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type AccountMark, accountMarks, decodeAccountMark } from "./account.ts";
import { mayWrite, type Standing, type ViewerId } from "./audience.ts";
import { followSets, tieSets } from "./families.ts";
import { membersIn } from "./member-set.ts";
import { keptSoon } from "./passing.ts";
import { askTies, noTies, type Ties, tiesIn } from "./tie.ts";
import { trusting } from "./trust.ts";

type Pipeline = ReturnType<Redis["pipeline"]>;
export type Standings = ReadonlyMap<bigint, Standing>;

/** Calls of graph at once from one process, for what Redis did not say; more wait, and beyond those a request is refused. */
const callsMax = 16;
const waitingMax = 256;

/** Ids in one call of graph. */
const batchMax = 100;
const standingCounts = cacheCounts("standing");

/**
 * Adds to a read what it takes to know how some accounts, one or more, stand to a viewer: their marks, and where somebody
 * looks, that viewer's follows and ties among them. The same number of commands whatever the viewer follows or blocks.
 */
export function askStandings(redis: Redis, pipeline: Pipeline, viewerId: ViewerId, userIds: readonly bigint[]): void {
  const keys = userIds.map((id) => accountMarks.keyOf(redis, id));
  redis.values(pipeline, keys);
  if (viewerId === undefined) return;
  followSets.ask(redis, pipeline, viewerId, userIds);
  askTies(redis, pipeline, tieSets.readKeys(redis, viewerId), userIds);
}

/** The standings in those answers. */
export function standingsIn(
  [marks, follows, ties]: readonly unknown[],
  viewerId: ViewerId,
  userIds: readonly bigint[],
): Standings {
  return standingsBy(viewerId, userIds, {
    marks: (marks as (Buffer | null)[]).map((bytes) => (bytes === null ? undefined : decodeAccountMark(bytes))),
    following: viewerId === undefined ? nobody : membersIn(follows, userIds)?.ids,
    ties: viewerId === undefined ? untied : tiesIn(ties, userIds),
  });
}

/** What standings are made of: marks in the order of the accounts, whom the viewer follows, and who is tied to them. */
type Evidence = {
  readonly marks: readonly (AccountMark | undefined)[];
  readonly following: ReadonlySet<bigint> | undefined;
  readonly ties: ReadonlyMap<bigint, Ties> | undefined;
};

/** Standings by what is known; of accounts that are not in the map nothing is: truth decides. */
export function standingsBy(
  viewerId: ViewerId,
  userIds: readonly bigint[],
  { marks, following, ties }: Evidence,
): Standings {
  const found = new Map<bigint, Standing>();
  for (const [nth, id] of userIds.entries()) {
    const mark = marks[nth];
    // Nobody follows or blocks themselves: one's own mark says it all.
    const isKnown = id === viewerId || (following !== undefined && ties !== undefined);
    if (mark === undefined || !isKnown) continue;
    const { state, isPrivate } = mark;
    const { blocking, muting, blockedBy, closeFriendOf } = ties?.get(id) ?? noTies;
    const isFollowed = following?.has(id) ?? false;
    found.set(id, { state, isPrivate, following: isFollowed, blocking, muting, blockedBy, closeFriendOf });
  }
  standingCounts(found.size, userIds.length - found.size);
  return found;
}

/** The standings from truth, which leaves them in the read models. One call a hundred accounts. */
export async function standingsByTruth(
  graph: Pick<Client<typeof GraphService>, "batchGetStandings">,
  viewerId: ViewerId,
  userIds: readonly bigint[],
  options: CallOptions,
): Promise<Standings> {
  const found = new Map<bigint, Standing>();
  for (let at = 0; at < userIds.length; at += batchMax) {
    const ids = userIds.slice(at, at + batchMax);
    const asked = { viewerId: viewerId === undefined ? "" : String(viewerId), userIds: ids.map(String) };
    const { standings } = await graph.batchGetStandings(asked, options);
    for (const [nth, id] of ids.entries()) found.set(id, standingOf(standings[nth]));
  }
  return found;
}

/**
 * How accounts stand to a viewer, for services that show something of theirs: one round trip where Redis has it all, one
 * call of graph for the rest.
 */
export function standingReader(redis: Redis, graph: Client<typeof GraphService>) {
  const trusted = trusting(redis, ["graph"]);
  // Without Redis every request asks: graph's database is to have room left for those who bring Redis back.
  const atOnce = turnstile({ insideMax: callsMax, outsideMax: waitingMax, what: "standings from truth" });

  async function kept(viewerId: ViewerId, userIds: readonly bigint[]): Promise<Standings> {
    await trusted();
    const pipeline = redis.pipeline();
    askStandings(redis, pipeline, viewerId, userIds);
    return standingsIn(await redis.run(pipeline), viewerId, userIds);
  }

  return async (viewerId: ViewerId, userIds: readonly bigint[], options: CallOptions): Promise<Standings> => {
    const ids = [...new Set(userIds)];
    if (ids.length === 0) return new Map();
    const known = (await keptSoon("standing", () => kept(viewerId, ids))) ?? new Map<bigint, Standing>();
    const missing = ids.filter((id) => !known.has(id));
    if (missing.length === 0) return known;
    return new Map([...known, ...(await atOnce(() => standingsByTruth(graph, viewerId, missing, options)))]);
  };
}

export type StandingReader = ReturnType<typeof standingReader>;

/** A write waits so long to hear whether its writer's account is open. */
const ownMs = 300;

/**
 * PERMISSION_DENIED where a writer's own account is not open. Where nobody says in time the write goes on: whoever reads decides
 * by the writer's state, too, so what a suspended account writes in that moment is shown to nobody.
 */
export async function mustBeOpen(standings: StandingReader, userId: bigint, options: CallOptions): Promise<void> {
  const ask = () => standings(undefined, [userId], options);
  const known = await inTime(ownMs, ask, () => unavailable("graph")).catch((reason: unknown) => {
    if (!isAway(reason)) throw reason;
    return undefined;
  });
  if (known !== undefined) mayWrite(known.get(userId));
}

const standingOf = (sent: SentStanding | undefined): Standing => ({
  state: sent?.state ?? 0,
  isPrivate: sent?.private ?? false,
  following: sent?.following ?? false,
  blocking: sent?.blocking ?? false,
  blockedBy: sent?.blockedBy ?? false,
  muting: sent?.muting ?? false,
  closeFriendOf: sent?.closeFriendOf ?? false,
});

const nobody: ReadonlySet<bigint> = new Set();
const untied: ReadonlyMap<bigint, Ties> = new Map();

/**
 * Whose standing decides about some things; where there is none of them a signed-in viewer's own, so that the time it takes does
 * not tell what is hidden from what is not there.
 */
export function askedAbout(viewerId: ViewerId, things: Iterable<{ readonly authorId: bigint }>): bigint[] {
  const authorIds = [...things].map(({ authorId }) => authorId);
  return authorIds.length > 0 || viewerId === undefined ? authorIds : [viewerId];
}
