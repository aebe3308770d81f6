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

/** Cheap passwords: these tests are not about hashing. Nor does what they write reach the web. */
const env = { PASSWORD_MEMORY_KIB: "1024", PREVIEWS: "off" };

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
    // Ends nothing in order: that takes 5 s, and is what the launcher's own tests are about.
    async stop() {
      await oracle.close();
      await instance.discard();
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
 * viewer's own like and repost.
 */
export async function assertFeeds(oracle: Oracle, people: readonly Person[], pageSize: number): Promise<void> {
  for (const person of people) {
    const viewerId = BigInt(person.id);
    const items = await person.feedItems(pageSize);
    const ids = await oracle.home(viewerId);
    const [liked, reposted] = [await oracle.liked(viewerId), await oracle.reposted(viewerId)];
    assert.deepEqual(
      items.map(({ activityId }) => activityId),
      ids,
      `feed of ${person.username}`,
    );
    for (const { post } of items) {
      const own = [post.viewer?.liked, post.viewer?.reposted === true];
      assert.deepEqual(own, [liked.has(post.id), reposted.has(post.id)], `${person.username}: ${post.id}`);
    }
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
      const ids = items.map(({ post }) => BigInt(post.id));
      const shown = items.map(
        ({ post: { id, likeCount, commentCount, repostCount = 0, quoteCount = 0, saveCount = 0 } }) => [
          ...[id, likeCount, commentCount],
          ...[id, repostCount, quoteCount, saveCount],
        ],
      );
      const [reactions, shares] = [await oracle.counts(ids), await oracle.shares(ids)];
      const counts = reactions.map((of, nth) => [...of, ...(shares[nth] ?? [])]);
      if (isDeepStrictEqual(shown, counts)) break;
      if (Date.now() > end) assert.deepEqual(shown, counts, `counts in the feed of ${person.username}`);
    }
  }
}
