//! What metrics cost a feed read: everything that is counted for one, in every process, with the code that counts it.
//! `node bench/metrics.ts [--json]` prints microseconds a read; 10 are the limit, and beyond it the exit code is 1.

import { parseArgs } from "node:util";
import { FeedService as PublicFeed } from "#gen/skein/api/v1/feed_pb.ts";
import { FeedService } from "#gen/skein/feed/v1/feed_pb.ts";
import { cacheCounts } from "#lib/mesh/cache-metrics.ts";
import { calledRpc, servedRpc } from "#lib/mesh/rpc-metrics.ts";
import { answered } from "../bff/src/door/door-metrics.ts";
import { rpcsOf } from "../bff/src/door/rpc.ts";

const readsWarm = 50_000;
const reads = 500_000;
const microsecondsMax = 10;

const { values } = parseArgs({ options: { json: { type: "boolean" } } });
const empty = () => ({});
const [rpc] = rpcsOf(PublicFeed, {
  listHomeFeed: empty,
  listListFeed: empty,
  countNewItems: empty,
  setReadPosition: empty,
  getReadPosition: empty,
});
const called = calledRpc(FeedService.method.listHomeFeed);
const served = servedRpc(FeedService.method.listHomeFeed);
const pieces = ["post_piece", "author_piece"].map(cacheCounts);
const models = [
  "timeline",
  "card",
  "author_version",
  "follow_set",
  "like_count",
  "comment_count",
  "liked_set",
  "saved_set",
];
const families = models.map(cacheCounts);

/** A page of twenty in which everything is warm but one post. */
function countOneRead(): void {
  const sinceMs = performance.now();
  for (const counts of families) counts(20, 0);
  served("bff", undefined, performance.now());
  called(undefined);
  for (const counts of pieces) counts(19, 1);
  answered(rpc, "json", undefined, sinceMs);
}

for (let n = 0; n < readsWarm; n++) countOneRead();
const beganMs = performance.now();
for (let n = 0; n < reads; n++) countOneRead();
const microseconds = Number((((performance.now() - beganMs) * 1000) / reads).toFixed(2));
console.log(values.json ? JSON.stringify({ microseconds, microsecondsMax }) : `${microseconds} µs a feed read`);
process.exitCode = microseconds <= microsecondsMax ? 0 : 1;
