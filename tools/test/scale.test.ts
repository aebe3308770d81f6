import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

const rows = ["feed", "posts", "likes", "inserts"].map((profile) => ({
  profile,
  envoy: true,
  cpuUs: { bff: 100, feed: 100, redis: 10, mysql: 20, client: 999 },
}));

/** What the command answers for a result with these rows. */
function ask(t: { after(done: () => void): void }, of: readonly unknown[], ...args: string[]) {
  const dir = mkdtempSync(path.join(tmpdir(), "skein-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, "result.json");
  writeFileSync(file, JSON.stringify({ rows: of, machine: "", commit: "" }));
  const scale = path.join(import.meta.dirname, "../scale.ts");
  return spawnSync(process.execPath, [scale, file, ...args], { encoding: "utf8" });
}

test("the model grows with the load, and names what it assumes", (t) => {
  const model = (...args: string[]) => JSON.parse(ask(t, rows, "--json", ...args).stdout);
  const [usual, busy] = [model(), model("--peak", "4")];
  assert.equal(busy.cores.bff, 2 * usual.cores.bff);
  assert.equal(busy.redis.memoryGiB, usual.redis.memoryGiB);
  assert.equal(usual.cores.client, undefined);
  assert.deepEqual([usual.assumed.peak, busy.assumed.peak], [2, 4]);
});

test("a result without what the model needs, and an assumption that is no number, are wrong usage", (t) => {
  for (const ran of [ask(t, rows.slice(1)), ask(t, rows, "--peak", "high")]) assert.equal(ran.status, 2, ran.stderr);
});
