//! A request that cannot be read, or whose asker has left, costs the launcher nothing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Kind } from "../kinds.ts";
import { markOf } from "../process-mark.ts";
import { removeRequests, requestRestart, serveRequests } from "../requests.ts";
import { writeState } from "../state.ts";

const pollMs = 10;
// The test runner has its processes write a report on this signal.
if (process.report) process.report.reportOnSignal = false;

test("what is asked is done once, whatever else lies in the directory", { timeout: 20_000 }, async (context) => {
  const dir = await ready(context, process.pid);
  const asked: string[] = [];
  const unserve = serveRequests(dir, async (kinds, say) => {
    asked.push(kinds.join());
    if (kinds.includes("feed")) await rm(join(dir, "restart-a.answers"), { force: true });
    say("one");
    return [{ name: `${kinds}`, ms: 1 }];
  });
  context.after(unserve);
  // One that cannot be read, and one whose asker leaves while it is done.
  mkdirSync(join(dir, "restart-b.request"));
  writeFileSync(join(dir, "restart-a.answers"), "");
  writeFileSync(join(dir, "restart-a.request"), "feed");
  const said: string[] = [];
  const kinds: readonly Kind[] = ["graph"];
  const done = await requestRestart(dir, kinds, (line) => said.push(line));
  assert.deepEqual([done, said], [[{ name: "graph", ms: 1 }], ["one"]]);
  process.kill(process.pid, "SIGUSR2");
  await sleep(pollMs);
  assert.deepEqual(asked.sort(), ["feed", "graph"]);
  assert.deepEqual(names(dir), ["restart-b.request"]);
});

test("leftovers of askers are removed, nothing else is", async (context) => {
  const dir = await ready(context, process.pid);
  const mine = ["restart-1.request", "restart-1.request.new", "restart-2.answers"];
  for (const name of [...mine, "restart-notes.txt"]) writeFileSync(join(dir, name), "");
  removeRequests(dir);
  assert.deepEqual(names(dir), ["restart-notes.txt"]);
});

test("a launcher that ends before it answers is told, and nothing is left", { timeout: 20_000 }, async (context) => {
  const child = spawn(process.execPath, [
    "-e",
    "process.on('SIGUSR2', () => process.exit()); setInterval(() => {}, 9); console.log()",
  ]);
  await once(child.stdout, "data");
  const dir = await ready(context, child.pid ?? 0);
  await assert.rejects(
    requestRestart(dir, ["graph"], () => undefined),
    /ended before the restart was done/,
  );
  assert.deepEqual(names(dir), []);
  await assert.rejects(
    requestRestart(dir, ["graph"], () => undefined),
    { exitCode: 3 },
  );
});

/** A directory that a launcher holds, ready. */
async function ready(context: { after(done: () => unknown): void }, pid: number): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "skein-requests-"));
  context.after(() => rm(dir, { recursive: true }));
  const launcher = markOf(pid);
  assert.ok(launcher !== undefined);
  writeFileSync(join(dir, "launcher.lock"), JSON.stringify(launcher));
  writeState(dir, { launcher, phase: "ready", deployment: "skein", startTime: "", processes: [] });
  return dir;
}

const names = (dir: string): string[] => readdirSync(dir).filter((name) => name.startsWith("restart-"));
