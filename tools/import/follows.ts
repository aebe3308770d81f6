import { createLanes, insist, type Operator } from "../operator.ts";
import type { Progress } from "../progress.ts";
import { createEdgeWindow, type NodeList, nodesMax } from "./edge-window.ts";
import { createNodes } from "./nodes.ts";

/** Edges held before they are written: 16 MiB. Files up to this size are written follower by follower throughout. */
const windowEdges = 2 ** 21;
/** A chunk of a file or a pipe is 64 KiB, and an edge no less than four bytes, which may count twice. */
const chunkEdgesMax = 2 ** 15;
/** As many as a call takes. */
const usersPerCall = 1_000;
/** Fewer than a call takes: a statement ends in a fraction of its 2 s, and calls overlap more evenly. */
const followsPerCall = 2_500;
/** One call in the database while the next is on its way. */
const callsAtOnce = 3;

/** Makes accounts of nodes and follows of edges, in bulk and in an order that the database likes. */
export function createFollowImport({
  operator,
  progress,
  prefix,
  password,
  undirected,
}: {
  operator: Operator;
  progress: Progress;
  prefix: string;
  password: string;
  undirected: boolean;
}) {
  const nodes = createNodes();
  const edges = createEdgeWindow(windowEdges + 2 * chunkEdgesMax);
  const counts = { users: 0, follows: 0, created: 0, selfLoops: 0, repeats: 0, overLimit: 0 };

  /** Accounts first, in both services: an edge needs the ids of its ends. */
  async function openAccounts(): Promise<void> {
    const lanes = createLanes(callsAtOnce);
    const total = nodes.size();
    for (let first = counts.users; first < total; first += usersPerCall) {
      const last = Math.min(first + usersPerCall, total);
      await lanes.run(async () => {
        const users = Array.from({ length: last - first }, (_, nth) => ({
          username: `${prefix}${nodes.nameOf(first + nth)}`,
        }));
        const { userIds } = await insist((options) => operator.user.importUsers({ users, password }, options));
        for (const [nth, id] of userIds.entries()) nodes.setId(first + nth, BigInt(id));
        const lists = userIds.map((followerId) => ({ followerId }));
        await insist((options) => operator.graph.importFollows({ lists }, options));
        counts.users += last - first;
        progress.update({ what: "accounts", done: counts.users, total });
      });
    }
    await lanes.drain();
  }

  async function write(lists: readonly NodeList[]): Promise<void> {
    const request = {
      lists: lists.map(({ from, to }) => ({
        followerId: String(nodes.idOf(from)),
        followeeIds: to.map(nodes.idOf),
      })),
    };
    const { createdCount, overLimitCount } = await insist((options) => operator.graph.importFollows(request, options));
    counts.created += Number(createdCount);
    counts.overLimit += Number(overLimitCount);
    for (const { to } of lists) counts.follows += to.length;
  }

  /** Writes what is held. `share` is how much of the file was read, where that is known. */
  async function flush(share: number | undefined): Promise<void> {
    await openAccounts();
    const { edges: sorted, repeats } = edges.take();
    counts.repeats += repeats;
    const read = counts.follows + sorted.count;
    const total = share === undefined ? undefined : Math.round(read / share);
    const lanes = createLanes(callsAtOnce);
    for (const lists of sorted.batches(followsPerCall)) {
      await lanes.run(() => write(lists));
      progress.update({ what: "follows", done: counts.follows, total });
    }
    await lanes.drain();
  }

  return {
    counts: () => ({ ...counts }),

    add(from: number, to: number): void {
      const source = nodes.indexOf(from);
      const target = nodes.indexOf(to);
      if (nodes.size() > nodesMax) throw new Error(`more than ${nodesMax} nodes`);
      if (source === target) {
        counts.selfLoops++;
        return;
      }
      edges.add(source, target);
      if (undirected) edges.add(target, source);
    },

    /** Called after each chunk, so that no edge waits for room. */
    async flushWhenFull(share: number | undefined): Promise<void> {
      if (edges.size() >= windowEdges) await flush(share);
    },

    flush,
  };
}
