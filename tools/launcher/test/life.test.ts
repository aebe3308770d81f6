import assert from "node:assert/strict";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { holderOf } from "../claim.ts";
import { startInstance } from "../instance.ts";
import { findFreeBase } from "../ports.ts";
import { isAlive, type ProcessMark } from "../process-mark.ts";
import { type InstanceState, readState } from "../state.ts";
import type { InstanceStatus } from "../status.ts";
import { instanceDir, runLauncher } from "./support.ts";

const pollMs = 25;

test("a start in the background serves, is listed, and stops without leaving a process", {
  timeout: 60_000,
}, async (context) => {
  const { start, dir, state } = await background(context);
  const urls = JSON.parse(start.stdout) as Record<string, string>;
  assert.deepEqual(Object.keys(urls), ["mysqlUrl", "redisUrl", "natsUrl"]);

  const listed = await runLauncher(["status", "--json", "--dir", dir]);
  const status = JSON.parse(listed.stdout) as InstanceStatus;
  assert.deepEqual(
    status.processes.map(({ name, healthy }) => [name, healthy]),
    [
      ["mysql", true],
      ["redis", true],
      ["nats", true],
    ],
  );
  assert.equal((await stat(join(dir, "keys.json"))).mode & 0o777, 0o600);

  const refused = await runLauncher(["restart", "all", "--dir", dir]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /nothing to restart/);

  const again = await runLauncher(["start", "--servers-only", "--dir", dir]);
  assert.equal(again.exitCode, 4);
  assert.match(again.stderr, /already running/);

  assert.equal((await runLauncher(["stop", "--dir", dir])).exitCode, 0);
  for (const mark of marks(state)) assert.ok(!isAlive(mark), `pid ${mark.pid} was left behind`);
  assert.equal((await runLauncher(["status", "--dir", dir])).exitCode, 3);
  assert.equal((await runLauncher(["stop", "--dir", dir])).exitCode, 3);
});

test("after everything is killed, a start finds the same keys and serves again", {
  timeout: 60_000,
}, async (context) => {
  const { dir, base, state } = await background(context);
  const keys = await readFile(join(dir, "keys.json"), "utf8");
  for (const { pid } of marks(state)) process.kill(pid, "SIGKILL");
  await until(() => !isAlive(state.launcher));
  const restarted = await runLauncher(startArgs(dir, base));
  assert.equal(restarted.exitCode, 0, restarted.stderr);
  assert.equal(await readFile(join(dir, "keys.json"), "utf8"), keys);
});

test("what a killed launcher left running is ended by the next start", { timeout: 60_000 }, async (context) => {
  const { dir, base, state } = await background(context);
  process.kill(state.launcher.pid, "SIGKILL");
  await until(() => !isAlive(state.launcher));
  const restarted = await runLauncher(startArgs(dir, base));
  assert.equal(restarted.exitCode, 0, restarted.stderr);
  assert.match(restarted.stderr, /ending mysql \(pid \d+\), left by a launcher that was killed/);
  for (const { mark } of state.processes) assert.ok(mark !== undefined && !isAlive(mark));
});

test("who asks while a start still ends leftovers hears that it is starting, and does it no harm", {
  timeout: 60_000,
}, async (context) => {
  const { dir, base, state } = await background(context);
  const mysql = state.processes.find(({ name }) => name === "mysql")?.mark?.pid ?? 0;
  process.kill(mysql, "SIGSTOP");
  process.kill(state.launcher.pid, "SIGKILL");
  await until(() => !isAlive(state.launcher));
  const left = join(dir, "restart-0.answers");
  await writeFile(left, "");
  const restarting = runLauncher(startArgs(dir, base));
  try {
    await until(() => holderOf(dir) !== undefined);
    const asked = await runLauncher(["restart", "all", "--dir", dir]);
    assert.equal(asked.exitCode, 1);
    assert.match(asked.stderr, /is starting; try again/);
    const listed = await runLauncher(["status", "--json", "--dir", dir]);
    assert.equal((JSON.parse(listed.stdout) as InstanceStatus).phase, "starting");
    // One that asked a moment ago, of the launcher that was killed, rings here.
    process.kill(holderOf(dir)?.pid ?? 0, "SIGUSR2");
    assert.equal(readState(dir)?.launcher.pid, state.launcher.pid, "leftovers ended too soon for this test");
  } finally {
    process.kill(mysql, "SIGCONT");
  }
  const restarted = await restarting;
  assert.equal(restarted.exitCode, 0, restarted.stderr);
  assert.ok(!(await readdir(dir)).includes("restart-0.answers"));
});

test("a process that dies is started again, and counted; what is discarded is gone with all its processes", {
  timeout: 60_000,
}, async (context) => {
  const dir = await instanceDir(context);
  const instance = await startInstance({ dir, serversOnly: true });
  context.after(() => instance.stop());
  instance.kill("redis");
  const redis = async () => (await instance.status()).processes.find(({ name }) => name === "redis");
  await until(async () => {
    const found = await redis();
    return found?.restarts === 1 && found.healthy;
  });
  const state = readState(dir);
  assert.equal(state?.processes.length, 3);
  await instance.discard();
  for (const { mark } of state?.processes ?? []) assert.ok(mark && !isAlive(mark), `pid ${mark?.pid} was left behind`);
  assert.equal((await instance.status()).phase, "not running");
});

async function background(context: Parameters<typeof instanceDir>[0]) {
  const dir = await instanceDir(context);
  const base = await findFreeBase();
  const start = await runLauncher(startArgs(dir, base));
  assert.equal(start.exitCode, 0, start.stderr);
  const state = readState(dir);
  assert.ok(state !== undefined);
  return { dir, base, start, state };
}

function startArgs(dir: string, base: number): string[] {
  return ["start", "--servers-only", "--detach", "--json", "--dir", dir, "--port-base", String(base)];
}

function marks({ launcher, processes }: InstanceState): ProcessMark[] {
  return [launcher, ...processes.flatMap(({ mark }) => mark ?? [])];
}

/** The test's own timeout is the limit. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(pollMs);
}
