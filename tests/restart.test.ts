import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { findFreeBase } from "../tools/launcher/ports.ts";
import { readState } from "../tools/launcher/state.ts";
import { openOracle } from "../tools/oracle.ts";
import { caughtUp, writeOn } from "./support/faults.ts";
import { register } from "./support/person.ts";
import { assertFeeds } from "./support/system.ts";

const run = promisify(execFile);
const dir = mkdtempSync(path.join(tmpdir(), "skein-"));
const launcher = (...args: string[]) =>
  run(process.execPath, ["tools/launcher/main.ts", ...args, "--dir", dir], {
    env: { ...process.env, PASSWORD_MEMORY_KIB: "1024" },
  });

type Status = { edge: string; launcherPid: number; processes: { name: string; pid: number; healthy: boolean }[] };
const status = async (): Promise<Status> => JSON.parse((await launcher("status", "--json")).stdout) as Status;

after(async () => {
  await launcher("stop").catch(() => {});
  rmSync(dir, { recursive: true, force: true });
});

test("kill -9 of everything while people write: nothing acknowledged is gone, feeds are the oracle's", {
  timeout: 180_000,
}, async () => {
  const base = String(await findFreeBase());
  await launcher("start", "--detach", "--no-demo", "--port-base", base);
  const { edge, launcherPid, processes } = await status();
  const people = await Promise.all(Array.from({ length: 5 }, () => register(edge)));
  for (const person of people) for (const other of people.slice(0, 3)) if (person !== other) await person.follow(other);
  const acknowledged: string[] = [];
  const writing = writeOn(people, 4, ({ id }) => void acknowledged.push(id));
  while (acknowledged.length < 60) await new Promise((done) => setTimeout(done, 5));

  process.kill(launcherPid, "SIGKILL");
  for (const { pid } of processes) process.kill(pid, "SIGKILL");
  const kept = [...acknowledged];
  await launcher("start", "--detach", "--no-demo", "--port-base", base);
  while (acknowledged.length < kept.length + 20) await new Promise((done) => setTimeout(done, 5));
  await writing.stop();

  const servers = readState(dir)?.servers;
  assert.ok(servers);
  const oracle = openOracle({ url: servers.mysqlUrl, deployment: "skein" });
  const standing = new Set((await Promise.all(people.map(({ id }) => oracle.author(BigInt(id))))).flat());
  const removed = writing.removed();
  for (const id of acknowledged) assert.ok(standing.has(id) !== removed.has(id), `post ${id}`);
  await assertFeeds(oracle, people, 20);
  await caughtUp(servers);
  await assertFeeds(oracle, people, 20);
  await oracle.close();

  await launcher("stop");
  await assert.rejects(launcher("status"), "nothing runs any more");
  for (const { pid } of processes) assert.throws(() => process.kill(pid, 0));
});
