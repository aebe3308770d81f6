import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { PostService } from "#gen/skein/post/v1/post_pb.ts";
import { cacheCounts } from "../cache-metrics.ts";
import { watchDependencies } from "../dependency-metrics.ts";
import { gauge, serveMetrics } from "../metrics.ts";
import { servedRpc } from "../rpc-metrics.ts";

let served: Awaited<ReturnType<typeof serveMetrics>>;
before(async () => {
  served = await serveMetrics({ host: "127.0.0.1", port: 0 });
});
after(() => served.close());

/** One scrape: the value of each series it is asked for. */
async function scrape(): Promise<(series: string) => string | undefined> {
  const response = await fetch(`http://127.0.0.1:${served.port}/metrics`);
  assert.equal(response.status, 200);
  const lines = (await response.text()).split("\n");
  return (series) => lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1);
}

test("an RPC is counted by method, caller and code, and callers beyond sixteen share a series", async () => {
  const count = servedRpc(PostService.method.createPost);
  for (let nth = 0; nth < 40; nth++) count(`caller${nth}`, undefined, performance.now());
  count("caller0", Code.Unavailable, performance.now());
  const shown = await scrape();
  const total = (caller: string, code: string) =>
    shown(`skein_rpc_server_total{method="post.CreatePost",caller="${caller}",code="${code}"}`);
  assert.equal(total("caller0", "OK"), "1");
  assert.equal(total("caller0", "Unavailable"), "1");
  assert.equal(total("other", "OK"), "24");
  assert.equal(shown('skein_rpc_server_seconds_count{method="post.CreatePost",caller="caller0"}'), "2");
});

test("hits and misses of a cache add up over scrapes", async () => {
  const counts = cacheCounts("one");
  const seen = async () => {
    const shown = await scrape();
    return ["hit", "miss"].map((result) => shown(`skein_cache_total{cache="one",result="${result}"}`));
  };
  counts(3, 1);
  assert.deepEqual(await seen(), ["3", "1"]);
  counts(2, 0);
  assert.deepEqual(await seen(), ["5", "1"]);
});

test("a gauge that cannot be asked, or does not answer, is shown as not known, and the scrape has the rest", async () => {
  gauge({ name: "skein_broken", help: "x", collect: () => Promise.reject(new Error("away")) });
  gauge({ name: "skein_hanging", help: "x", collect: () => new Promise(() => {}) });
  watchDependencies({ hanging: () => new Promise(() => {}), well: async () => {}, broken: () => Promise.reject() });
  const shown = await scrape();
  assert.equal(shown("skein_broken"), "Nan");
  assert.equal(shown("skein_hanging"), "Nan");
  const up = (name: string) => shown(`skein_dependency_up{dependency="${name}"}`);
  assert.deepEqual(["hanging", "well", "broken"].map(up), ["0", "1", "0"]);
});
