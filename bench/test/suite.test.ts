import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { ask, type FeedPage } from "../../tests/support/person.ts";
import { createProgress } from "../../tools/progress.ts";
import { startBare, startClient } from "../load/processes.ts";
import { type Judge, openJudge } from "../suite/judge.ts";
import { type Bench, measure } from "../suite/measure.ts";
import { profiles } from "../suite/profiles.ts";
import { startSystem } from "../suite/system.ts";
import { settle } from "../suite/town.ts";

/** Five follow each other round a ring too small to page, and one in ten of them leaves people out. */
const size = { users: 30, follows: 10, posts: 4 };
const dir = mkdtempSync(path.join(tmpdir(), "skein-bench-"));
let bench: Bench;
let judge: Judge;
before(async () => {
  const progress = createProgress({ stream: { write: () => true } });
  const system = await startSystem({ dir, envoy: false, env: { AUDIT_MS: "0" } });
  judge = openJudge(system.oracle, system.instance.servers.mysqlUrl);
  const town = await settle(system, size, progress);
  const [client, bare] = [startClient(), await startBare()];
  bench = { system, town, client, bare, judge, progress, written: new Map(), cores: "0,1", rounds: 1, seconds: 1 };
});
after(async () => {
  bench.client.stop();
  bench.bare.stop();
  await judge.close();
  await bench.system.stop();
  rmSync(dir, { recursive: true, force: true });
});

for (const name of ["feed", "hsa"]) {
  test(`a row of ${name} has its form, and nothing on its pages is wrong`, async () => {
    const profile = profiles[name];
    assert.ok(profile);
    const row = await measure(bench, name, profile, 4);
    assert.deepEqual(Object.keys(row), [
      ...["profile", "envoy", "connections", "rps", "p50Ms", "p99Ms", "koaP99Ms", "cpuUs", "shareOfKoa", "hitRate"],
      ...["failed", "wrong", "missing", "stale"],
    ]);
    assert.deepEqual([row.profile, row.envoy, row.connections], [name, false, 4]);
    for (const figure of [row.rps, row.p50Ms, row.p99Ms, row.koaP99Ms, row.shareOfKoa, row.hitRate])
      assert.ok(Number(figure) > 0);
    for (const process of ["bff", "feed", "redis", "mysql", "edge", "mesh", "client"]) assert.ok(process in row.cpuUs);
    assert.deepEqual([row.failed, row.wrong, row.missing, row.stale], [0, 0, 0, 0]);
  });
}

test("what is wrong with a page is counted", async () => {
  const { system, town } = bench;
  const { id = "", token = "" } = town.people[0] ?? {};
  const { body: page } = await ask<FeedPage>(system.url, "GET", "/v1/feed?pageSize=5", { token });
  const [first, second, ...others] = page.items;
  assert.ok(first !== undefined && second !== undefined);
  const judged = async (items: FeedPage["items"]) => {
    const { wrong, missing, stale } = await judge.judge(
      BigInt(id),
      { ...page, items },
      { time: Date.now(), isStill: true },
    );
    return [wrong, missing, stale];
  };
  const foreign = { ...first, activityId: String(BigInt(first.activityId) + 1n) };
  const rewritten = { ...first, post: { ...first.post, text: "something else" } };
  const miscounted = { ...first, post: { ...first.post, likeCount: first.post.likeCount + 1 } };
  assert.deepEqual(await judged(page.items), [0, 0, 0]);
  assert.deepEqual(await judged([first, ...others]), [0, 1, 0]);
  assert.deepEqual(await judged([second, first, ...others]), [1, 0, 0]);
  assert.deepEqual((await judged([foreign, ...page.items])).slice(0, 2), [1, 0]);
  assert.deepEqual(await judged([rewritten, second, ...others]), [0, 0, 1]);
  assert.deepEqual(await judged([miscounted, second, ...others]), [0, 0, 1]);
});

test("an option that is none is wrong usage", () => {
  const ran = spawnSync(process.execPath, [path.join(import.meta.dirname, "../main.ts"), "--profile", "none"]);
  assert.equal(ran.status, 2, String(ran.stderr));
});
