import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { until } from "#lib/harness/until.ts";
import { type Instance, startInstance } from "../../tools/launcher/instance.ts";
import type { Extra, Replicas } from "../../tools/launcher/kinds.ts";
import type { InstanceStatus } from "../../tools/launcher/status.ts";
import { type Oracle, openOracle } from "../../tools/oracle.ts";
import type { Person } from "./person.ts";

/** Cheap passwords: these tests are not about hashing. */
const env = { PASSWORD_MEMORY_KIB: "1024" };

/** A whole system of a test file's own, on free ports, gone after it. */
export type System = {
  readonly instance: Instance;
  readonly edge: string;
  readonly oracle: Oracle;
  readonly dir: string;
  stop(): Promise<void>;
};

export async function startSystem(
  replicas: Partial<Replicas> = {},
  more: Readonly<Record<string, string>> = {},
  extras: readonly Extra[] = [],
): Promise<System> {
  const dir = mkdtempSync(path.join(tmpdir(), "skein-"));
  const instance = await startInstance({ dir, demo: false, env: { ...env, ...more }, replicas, extras });
  const oracle = openOracle({ url: instance.servers.mysqlUrl, deployment: "skein" });
  return {
    instance,
    edge: instance.edge,
    oracle,
    dir,
    async stop() {
      await oracle.close();
      await instance.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Waits until every process is well, and says how they are: one look at a busy machine finds one that is late. */
export async function allHealthy(instance: Pick<Instance, "status">): Promise<InstanceStatus> {
  let status = await instance.status();
  await until("every process is healthy", async () => {
    status = await instance.status();
    return status.processes.every(({ healthy }) => healthy);
  });
  return status;
}

/**
 * Everyone's feed, read through the front door page by page, is what the oracle says, in its order, each post with the
 * viewer's own like.
 */
export async function assertFeeds(oracle: Oracle, people: readonly Person[], pageSize: number): Promise<void> {
  for (const person of people) {
    const viewerId = BigInt(person.id);
    const items = await person.feedItems(pageSize);
    const shown = items.map(({ activityId, post }) => [activityId, post.viewer?.liked]);
    const [ids, liked] = [await oracle.home(viewerId), await oracle.liked(viewerId)];
    assert.deepEqual(
      shown,
      ids.map((id) => [id, liked.has(id)]),
      `feed of ${person.username}`,
    );
  }
}

/** How long the counts of what was written may take to be folded, before they count as wrong. */
const countedMs = 30_000;

/** Waits until every count in everyone's feed is what counting rows says. */
export async function assertCounts(oracle: Oracle, people: readonly Person[]): Promise<void> {
  const end = Date.now() + countedMs;
  for (const person of people) {
    for (;;) {
      const items = await person.feedItems();
      const shown = items.map(({ activityId, post }) => [activityId, post.likeCount, post.commentCount]);
      const counts = await oracle.counts(items.map(({ activityId }) => BigInt(activityId)));
      if (isDeepStrictEqual(shown, counts)) break;
      if (Date.now() > end) assert.deepEqual(shown, counts, `counts in the feed of ${person.username}`);
    }
  }
}
