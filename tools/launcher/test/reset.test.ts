import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { findFreeBase } from "../ports.ts";
import { isAlive } from "../process-mark.ts";
import type { Reset } from "../reset.ts";
import { readState } from "../state.ts";
import { instanceDir, runLauncher } from "./support.ts";

test("a reset asks, ends what runs, and removes what the launcher made and nothing else", {
  timeout: 60_000,
}, async (context) => {
  const dir = join(await instanceDir(context), "instance");
  const base = String(await findFreeBase());
  const started = await runLauncher(["start", "--servers-only", "--detach", "--dir", dir, "--port-base", base]);
  assert.equal(started.exitCode, 0, started.stderr);
  await writeFile(join(dir, "notes.txt"), "mine");
  await mkdir(join(dir, "backup"));
  const state = readState(dir);
  assert.ok(state !== undefined);

  const unasked = await runLauncher(["reset", "--dir", dir]);
  assert.equal(unasked.exitCode, 2);
  assert.match(unasked.stderr, /nobody is there to ask .*; --yes removes it without asking/);
  assert.ok(isAlive(state.launcher), "it ended what runs before it was told to");

  const done = await runLauncher(["reset", "--yes", "--json", "--dir", dir]);
  assert.equal(done.exitCode, 0, done.stderr);
  const { removed, left } = JSON.parse(done.stdout) as Reset;
  assert.deepEqual(
    removed.map(({ what }) => what),
    ["data", "logs", "keys", "rest"],
  );
  assert.ok((removed[0]?.bytes ?? 0) > 10_000_000, done.stdout);
  assert.deepEqual(left.toSorted(), ["backup", "notes.txt"]);
  assert.deepEqual((await readdir(dir)).toSorted(), ["backup", "notes.txt"]);
  for (const { mark } of state.processes) assert.ok(mark !== undefined && !isAlive(mark));
});

test("a directory that is no instance's is left as it is", async (context) => {
  const dir = await instanceDir(context);
  await mkdir(join(dir, "mysql"));
  await writeFile(join(dir, "keys.json"), '{"mysql":"of another program"}');
  const refused = await runLauncher(["reset", "--yes", "--dir", dir]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /is not the directory of an instance; nothing was removed/);
  assert.deepEqual((await readdir(dir)).toSorted(), ["keys.json", "mysql"]);
  const none = join(dir, "none");
  assert.equal((await runLauncher(["reset", "--yes", "--dir", none])).exitCode, 0);
  assert.ok(!existsSync(none));
});
