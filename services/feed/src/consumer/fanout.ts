import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { SpanKind } from "@opentelemetry/api";
import type { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { type Leases, pause } from "#lib/events/lease.ts";
import { atPace } from "#lib/events/pace.ts";
import { onBehalfOfNobody } from "#lib/mesh/call.ts";
import type { Log } from "#lib/mesh/log.ts";
import type { Loop } from "#lib/mesh/run.ts";
import { begin } from "#lib/mesh/trace.ts";
import { homeTimelines } from "#lib/readmodel/families.ts";
import { lag } from "#lib/readmodel/lag.ts";
import { timeOf } from "#lib/storage/id.ts";
import type { Redis } from "#lib/storage/redis.ts";
import { type FanoutTask, type FeedStore, newTask, shardOf } from "../store.ts";
import { endings } from "./endings.ts";
import { pushFirst, togetherMax } from "./first-pages.ts";
import type { PullAbove } from "./pull.ts";

/** Batches of fan-outs at once that begin: nearly all end there. */
const firstLaneMax = 2;
/** Pages at once of those that are one or two pages of followers long. */
const shortLaneMax = 8;
/** Pages of longer ones at once: a huge author delays nobody. */
const longLaneMax = 2;
/** Tasks known in memory; the rest wait in the database. */
const waitingMax = 10_000;
const pageMs = 10_000;
const tracedPagesMax = 8;
const againMs = 300;
/** The database is looked through for tasks nobody works on, and the lag for entries without a task. */
const sweepMs = 5_000;
/** Who has so many to work on looks for no more, unless shards came: a look at ten thousand rows holds up every read. */
const enoughKnown = 1_000;
/** An activity this long in the lag without a task lost its fact on the way: its task is made here. */
const forgottenMs = 10_000;
const forgottenMax = 500;
/** How long a fan-out can be explained after its end. Each sweep forgets so many at most: a thousand a second. */
const doneMs = 7 * 86_400_000;
const doneSweepMax = 5_000;

type Needs = {
  readonly redis: Redis;
  readonly store: FeedStore;
  readonly graph: Client<typeof GraphService>;
  readonly leases: Leases;
  readonly pull: PullAbove;
  readonly log: Log;
  readonly sql: Parameters<FeedStore["addTasks"]>[0];
};

type Pushed = Pick<FanoutTask, "beginMs" | "followerCount"> & { readonly afterId: bigint | undefined };

export type Fanout = ReturnType<typeof createFanout>;

/**
 * Stage 2: brings an activity into the timelines of everyone who follows its author, a page of 4,096 followers at a
 * time, in two lanes by size. Progress is kept a page, pushes are idempotent, so a crash repeats a page at most. A task
 * ends with its lag entry: from there on timelines alone show the activity.
 */
export function createFanout(needs: Needs) {
  const { redis, store, leases, pull, log, sql } = needs;
  const known = new Set<bigint>();
  const lanes = { first: lane(firstLaneMax), short: lane(shortLaneMax), long: lane(longLaneMax) };
  const gathered: FanoutTask[] = [];
  const end = endings(needs, (ended) => {
    for (const { activityId } of ended) known.delete(activityId);
  });

  function begin(tasks: readonly FanoutTask[]): void {
    for (const task of tasks) {
      if (known.has(task.activityId) || known.size >= waitingMax) continue;
      known.add(task.activityId);
      // A traced one goes alone: its trace shows its own steps.
      if (task.afterId > 0n) step(task, lanes.long);
      else if (task.traceparent.endsWith("1")) step(task, lanes.short);
      else gather(task);
    }
  }

  /** Whatever waits when a lane is free begins together. */
  function gather(task: FanoutTask): void {
    gathered.push(task);
    lanes.first.add(async () => {
      const tasks = gathered.splice(0, togetherMax);
      if (tasks.length === 0) return;
      try {
        for (const one of await atPace(newestOf(tasks), () => pushFirst(needs, tasks))) {
          if (one.ended) end(one.task);
          else step({ ...one.task, pages: 1 }, lanes.short);
        }
      } catch (reason) {
        log.warn("fan-outs again", { count: tasks.length, error: reason });
        setTimeout(() => tasks.forEach(gather), againMs);
      }
    });
  }

  function step(task: FanoutTask, on: Lane): void {
    on.add(async () => {
      try {
        const { afterId, ...reached } = await traced(task, (page) => pushPage(needs, page));
        if (afterId === undefined) end({ ...task, ...reached });
        else step({ ...task, ...reached, afterId, pages: (task.pages ?? 0) + 1 }, lanes.long);
      } catch (reason) {
        log.warn("fan-out again", { trace: task.traceparent.slice(3, 35), error: reason });
        setTimeout(() => step(task, on), againMs);
      }
    });
  }

  async function sweep(hasNewShards: boolean): Promise<void> {
    if (known.size >= enoughKnown && !hasNewShards) return;
    begin(await store.tasksOf(leases.held(), waitingMax));
    const forgotten = await lag.olderThan(redis, Date.now() - forgottenMs, forgottenMax);
    const ours = forgotten.filter(
      ({ activityId, authorId }) => leases.held().has(shardOf(authorId)) && !known.has(activityId),
    );
    const tasks = ours.map(newTask);
    await store.addTasks(sql, tasks);
    begin(tasks);
    await store.forgetDone(Date.now() - doneMs, doneSweepMax);
  }

  const loop: Loop = async (signal) => {
    let changed = new AbortController();
    leases.onChange(() => changed.abort());
    while (!signal.aborted) {
      const hasNewShards = changed.signal.aborted;
      changed = new AbortController();
      await sweep(hasNewShards).catch((reason) => log.warn("fan-out sweep", { error: reason }));
      await pull.look().catch((reason) => log.warn("who is pulled", { error: reason }));
      await pause(sweepMs, AbortSignal.any([signal, changed.signal]));
    }
    await Promise.race([idle(), pause(2_000, AbortSignal.timeout(2_000))]);
  };

  async function idle(): Promise<void> {
    while (known.size > 0) await pause(20, AbortSignal.timeout(20));
  }

  return { begin, loop };
}

/**
 * One page of followers; answers after whom the task goes on, if it does. The author is their own first follower, and the only one
 * where all others pull.
 */
async function pushPage({ redis, store, graph, pull }: Needs, task: FanoutTask): Promise<Pushed> {
  const { activityId, authorId, afterId, beginMs = Date.now() } = task;
  const isPulled = afterId === 0n && (await pull.isPulled(authorId));
  const page = isPulled ? nobody : await nextFollowers(graph, task);
  const pipeline = redis.pipeline();
  const owners = afterId === 0n ? [authorId, ...page.ids] : page.ids;
  homeTimelines.push(redis, pipeline, [{ entry: { activityId, authorId }, ownerIds: owners }]);
  await redis.run(pipeline);
  const last = page.ids.at(-1);
  const reached = { beginMs, followerCount: task.followerCount + page.ids.length };
  await pull.reached(authorId, reached.followerCount);
  if (!page.more || last === undefined) return { ...reached, afterId: undefined };
  await store.keepProgress({ ...task, ...reached, afterId: last });
  return { ...reached, afterId: last };
}

/** Runs a page of a traced task in a span of its own, which its steps and its call to graph are below. */
async function traced<T>(task: FanoutTask, push: (task: FanoutTask) => Promise<T>): Promise<T> {
  if (!task.traceparent.endsWith("1")) return await push(task);
  const pages = task.pages ?? 0;
  // A celebrity's fan-out has a thousand pages: the trace shows how it begins.
  if (pages >= tracedPagesMax) return await push({ ...task, traceparent: `${task.traceparent.slice(0, -2)}00` });
  const span = begin("fan-out", SpanKind.INTERNAL, task, {
    "skein.aggregate": `post:${task.activityId}`,
    "skein.page": pages,
  });
  try {
    return await span.run(() => push({ ...task, traceparent: span.traceparent }));
  } catch (reason) {
    span.fail(ConnectError.from(reason, Code.Internal).code);
    throw reason;
  } finally {
    span.end();
  }
}

/** The next page of a fan-out, from the primary: a follower who committed before the post is in it. */
async function nextFollowers(graph: Client<typeof GraphService>, { authorId, afterId, traceparent }: FanoutTask) {
  const options = onBehalfOfNobody("feed", pageMs, traceparent === "" ? undefined : traceparent);
  const request = { userId: String(authorId), afterUserId: afterId === 0n ? "" : String(afterId), pageLimit: 1 };
  let ids: readonly bigint[] = [];
  for await (const { followerIds } of graph.scanFollowers(request, options)) ids = followerIds;
  return { ids, more: ids.length === scanPage };
}

/** A task of an import has a time of its own, and the activity's may be years ago. */
const newestOf = (tasks: readonly FanoutTask[]): number =>
  Math.max(...tasks.map(({ publicMs, activityId }) => publicMs ?? timeOf(activityId)));

/** Whose followers pull. */
const nobody = { ids: [], more: false } as const;

/** graph.ScanFollowers packs as many. */
const scanPage = 4_096;

type Lane = ReturnType<typeof lane>;

/** Work of which so much runs at once; the rest waits its turn. */
function lane(atOnceMax: number) {
  const waiting: (() => Promise<void>)[] = [];
  let running = 0;
  const next = () => {
    const work = running < atOnceMax ? waiting.shift() : undefined;
    if (work === undefined) return;
    running++;
    void work().finally(() => {
      running--;
      next();
    });
  };
  return {
    add(work: () => Promise<void>): void {
      waiting.push(work);
      next();
    },
  };
}
