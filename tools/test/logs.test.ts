import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { until } from "#lib/harness/until.ts";
import { boundLog } from "../launcher/logs.ts";

const file = join(import.meta.dirname, "..", "logs.ts");
const trace = "0af7651916cd43dd8448eb211c80319c";

test("all processes' lines come in the order of time, servers' in their own words", async (context) => {
  const { dir, write } = instance(context);
  const at = (ms: number) => new Date(Date.UTC(2026, 10, 22, 9, 0, 0, ms)).toISOString();
  write(
    "post-1",
    json({ time: at(200), level: "error", msg: "rpc failed", trace, error: { message: "gone", at: "x.ts:1" } }),
  );
  write("feed-1", json({ time: at(300), level: "info", msg: "ready", port: 1 }), "a line of its own");
  write("mysql", "2026-11-22  9:00:00 0 [Warning] max_open_files");
  write("redis", "4185:M 22 Nov 2026 09:00:00.100 # Redis is starting");
  write("nats", "[4186] 2026/11/22 09:00:00.150048 [INF] Starting nats-server");
  write("edge-1", "[2026-11-22 09:00:00.250][4269][error][main] [source/x.cc:1] listen failed");
  const { stdout } = await run(["--dir", dir]);
  assert.deepEqual(stdout.trimEnd().split("\n"), [
    "09:00:00.000 mysql  warn  max_open_files",
    "09:00:00.100 redis  warn  Redis is starting",
    "09:00:00.150 nats   info  Starting nats-server",
    `09:00:00.200 post-1 error rpc failed trace=${trace} gone`,
    "             x.ts:1",
    "09:00:00.250 edge-1 error [main] [source/x.cc:1] listen failed",
    "09:00:00.300 feed-1 info  ready port=1",
    "09:00:00.300 feed-1 info  a line of its own",
  ]);
  const names = async (...args: string[]) => {
    const said = await run(["--dir", dir, "--json", ...args]);
    return said.stdout
      .trim()
      .split("\n")
      .map((line) => (line === "" ? "" : JSON.parse(line).name));
  };
  assert.deepEqual(await names("--level", "warn"), ["mysql", "redis", "post-1", "edge-1"]);
  assert.deepEqual(await names("--trace", trace.slice(0, 8)), ["post-1"]);
  assert.deepEqual(await names("feed,nats"), ["nats", "feed-1", "feed-1"]);
  assert.deepEqual(await names("--since", at(250), "--lines", "2"), ["feed-1", "feed-1"]);
  assert.deepEqual(await names("--since", "1s"), [""]);
});

test("what a line holds does not command the terminal", async (context) => {
  const { dir, write } = instance(context);
  write(
    "bff-1",
    json({ time: new Date().toISOString(), level: "info", msg: "\u001b[2J\u0007hello", text: "\u009b31m" }),
  );
  const { stdout } = await run(["--dir", dir]);
  assert.match(stdout, /bff-1 info {2}·\[2J·hello text=·31m\n$/);
});

test("following loses no line and doubles none while logs are cut, renamed and new", async (context) => {
  const { dir, write } = instance(context);
  const line = (n: number) => json({ time: new Date().toISOString(), level: "info", msg: `n${n};` });
  write("feed-1", line(0));
  const following = start(["--follow", "--dir", dir]);
  context.after(() => following.child.kill());
  const seen = () => [...following.said().matchAll(/n(\d+);/g)].map(([, n]) => Number(n));
  await until("the first line", () => seen().length === 1);
  // Full, and cut by the launcher, which copies it first.
  write("feed-1", line(1), "x".repeat(10 * 1024 * 1024 - 100), line(2));
  boundLog(dir, "feed-1");
  write("feed-1", line(3));
  await until("the line after the cut", () => seen().includes(3));
  // Full at a start: renamed, and begun anew; with another process beside it.
  write("feed-1", line(4));
  const log = join(dir, "logs", "feed-1.log");
  renameSync(log, `${log}.1`);
  write("feed-1", line(5));
  write("post-1", line(6));
  await until("the lines of both", () => seen().includes(5) && seen().includes(6));
  const half = line(7);
  appendFileSync(log, half.slice(0, 20));
  write("post-1", line(8));
  await until("the other's line", () => seen().includes(8));
  appendFileSync(log, `${half.slice(20)}\n`);
  await until("the line in two halves", () => seen().includes(7));
  assert.deepEqual(seen().sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test("wrong usage and a place where nothing was started are told by the exit code", async (context) => {
  const { dir, write } = instance(context);
  write("feed-1", json({ time: new Date().toISOString(), level: "info", msg: "ready" }));
  for (const wrong of [
    ["foo"],
    ["--level", "loud"],
    ["--since", "soon"],
    ["--lines", "0"],
    ["--trace", "zz"],
    ["--no"],
  ]) {
    const said = await run(["--dir", dir, ...wrong]);
    assert.equal(said.code, 2, `${wrong} ${said.stderr}`);
    assert.equal(said.stderr.trim().split("\n").length, 1, said.stderr);
  }
  assert.equal((await run(["--dir", join(dir, "none")])).code, 3);
});

const json = (fields: object): string => JSON.stringify({ name: "x", ...fields });

function instance(context: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "skein-logs-"));
  context.after(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, "logs"));
  const write = (name: string, ...lines: string[]) =>
    writeFileSync(join(dir, "logs", `${name}.log`), lines.map((line) => `${line}\n`).join(""), { flag: "a" });
  return { dir, write };
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, [file, ...args], { env: { ...process.env, TZ: "UTC" } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((done) => {
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
  return { child, ended, said: () => stdout };
}

const run = (args: readonly string[]) => start(args).ended;
