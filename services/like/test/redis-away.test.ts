import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { like, likedSet, likesOf, newPost, rows, somebody, startSystem, unlike } from "./world.ts";

/** Nobody listens there. */
startSystem({ REDIS_URL: "redis://127.0.0.1:1" });

test("without Redis likes stand, their viewer sees them, and counts are exact", async () => {
  const [viewer, other, post] = [somebody(), somebody(), await newPost()];
  await like(viewer, post);
  await like(other, post);
  assert.deepEqual((await likedSet(viewer)).postIds, [post]);
  await unlike(other, post);
  const allCounted = async () => (await rows("SELECT 1 FROM outbox WHERE position IS NULL")).length === 0;
  await until("the relay counted them", allCounted);
  assert.deepEqual(await likesOf([post], viewer), [[1, true]]);
});
