import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CallOptions, Code, ConnectError, createClient } from "@connectrpc/connect";
import { CommentService } from "#gen/skein/comment/v1/comment_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { GraphService } from "#gen/skein/graph/v1/graph_pb.ts";
import { LikeService } from "#gen/skein/like/v1/like_pb.ts";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { UserService } from "#gen/skein/user/v1/user_pb.ts";
import { onBehalfOf } from "#lib/mesh/call.ts";
import { grpcTransport } from "#lib/mesh/transport.ts";
import { type Env, instanceDir } from "./cli.ts";
import { holderOf } from "./launcher/claim.ts";
import type { Keys } from "./launcher/keys.ts";
import { readState } from "./launcher/state.ts";
import { exitCodes, LaunchFailure } from "./servers/failure.ts";

/** A bulk call writes thousands of rows. */
const callMs = 30_000;
/** Bulk calls may run again, so a service that restarts (3 s) costs a wait and not the import. */
const triesMax = 8;
const againMs = 100;
/** A system that just said it is ready may need this until its proxy has seen every service. */
const reachMs = 5_000;

export { exitCodeOf, instanceDir, usage } from "./cli.ts";

type Place = { readonly mesh: string; readonly key: string };

/** Where the system is: named by the environment, unless --dir says which, or the one that runs in the directory. */
export function findSystem({ dir, env }: { dir: string | undefined; env: Env }): Place {
  if (dir === undefined && env.MESH_URL && env.INTERNAL_KEY) return { mesh: env.MESH_URL, key: env.INTERNAL_KEY };
  const place = instanceDir(dir, env);
  const mesh = holderOf(place) === undefined ? undefined : readState(place)?.mesh;
  if (mesh === undefined) throw notRunning(`nothing runs in ${place}`);
  const keys = JSON.parse(readFileSync(join(place, "keys.json"), "utf8")) as Keys;
  return { mesh, key: keys.internal };
}

/** The services as their operator calls them, behind the mesh. */
export type Operator = Awaited<ReturnType<typeof openOperator>>;

export async function openOperator(place: Place) {
  const transport = grpcTransport({ address: place.mesh, caller: "operator", key: place.key });
  const operator = {
    comment: createClient(CommentService, transport),
    feed: createClient(FeedService, transport),
    graph: createClient(GraphService, transport),
    like: createClient(LikeService, transport),
    post: createClient(PostService, transport),
    user: createClient(UserService, transport),
    close: () => transport.close(),
  };
  try {
    await reach(operator.user);
  } catch (cause) {
    operator.close();
    if (Code.Unavailable !== codeOf(cause)) throw cause;
    throw notRunning(`nobody answers at ${place.mesh}`, cause);
  }
  return operator;
}

async function reach(user: Operator["user"]): Promise<void> {
  for (const deadline = Date.now() + reachMs; ; await sleep(againMs)) {
    try {
      await user.batchGetUsers({ userIds: [] }, onBehalfOf(undefined, "operator", callMs));
      return;
    } catch (reason) {
      if (codeOf(reason) !== Code.Unavailable || Date.now() > deadline) throw reason;
    }
  }
}

const passing: readonly (Code | undefined)[] = [Code.Unavailable, Code.DeadlineExceeded, Code.Aborted];

/** One call that may be repeated, for nobody or for a person, tried again while what failed may pass by itself. */
export async function insist<T>(call: (options: CallOptions) => Promise<T>, viewerId?: string): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call(onBehalfOf(viewerId, "operator", callMs));
    } catch (reason) {
      if (tried === triesMax || !passing.includes(codeOf(reason))) throw reason;
      await sleep(againMs * 2 ** (tried - 1));
    }
  }
}

export type Lanes = ReturnType<typeof createLanes>;

/** Runs at most `max` pieces of work at once. The first failure is thrown by the next `run`, or by `drain`. */
export function createLanes(max: number) {
  const running = new Set<Promise<void>>();
  let failure: { reason: unknown } | undefined;
  const check = () => {
    if (failure !== undefined) throw failure.reason;
  };
  return {
    /** Resolves when the work has begun, so that its caller prepares no more than one piece ahead. */
    async run(work: () => Promise<void>): Promise<void> {
      while (running.size >= max && failure === undefined) await Promise.race(running);
      check();
      const one: Promise<void> = work()
        .catch((reason) => {
          failure ??= { reason };
        })
        .finally(() => running.delete(one));
      running.add(one);
    },
    async drain(): Promise<void> {
      await Promise.all(running);
      check();
    },
  };
}

const notRunning = (message: string, cause?: unknown): LaunchFailure =>
  new LaunchFailure(`${message}: run npm start first`, { exitCode: exitCodes.notRunning, cause });

const codeOf = (reason: unknown): Code | undefined => (reason instanceof ConnectError ? reason.code : undefined);
